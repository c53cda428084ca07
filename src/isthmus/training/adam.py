"""Adam (Kingma & Ba 2015) straight over torch's fused kernel.

    m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   w = w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t))
    + eps)

Constructing `torch.optim.Adam` imports some 800 modules, which costs as much as importing torch and most of
the time of fitting a small table. The kernel it ends in is one call. That call is private to torch, so
where it is missing or has changed, the same update runs as a handful of public operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Adam"]


class Adam:
    """The optimiser's state for a list of parameters; `step(lr)` moves them along their gradients."""

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.reset()

    def reset(self) -> None:
        """Forget all moments."""
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), dtype=torch.float32, device=p.device) for p in self.parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with learning rate `lr`; parameters without a gradient stay."""
        live = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        chosen = [
            [group[i] for i in live] for group in (self.parameters, self.first, self.second, self.steps)
        ]
        weights, first, second, steps = chosen
        grads: list[Tensor] = [w.grad for w in weights]  # type: ignore[misc]
        torch._foreach_add_(steps, 1)
        if not self._fused(lr, weights, grads, first, second, steps):
            self._plain(lr, weights, grads, first, second, steps)

    def _fused(self, lr: float, weights: Any, grads: Any, first: Any, second: Any, steps: Any) -> bool:
        """Whether the fused kernel took the step."""
        try:
            torch._fused_adam_(
                weights,
                grads,
                first,
                second,
                [],
                steps,
                lr=lr,
                beta1=self.beta1,
                beta2=self.beta2,
                eps=self.eps,
                weight_decay=0.0,
                amsgrad=False,
                maximize=False,
            )
        except (AttributeError, TypeError, NotImplementedError):
            return False
        return True

    def _plain(self, lr: float, weights: Any, grads: Any, first: Any, second: Any, steps: Any) -> None:
        t = float(steps[0]) if steps else 1.0
        torch._foreach_lerp_(first, grads, 1 - self.beta1)
        torch._foreach_mul_(second, self.beta2)
        torch._foreach_addcmul_(second, grads, grads, 1 - self.beta2)
        root = torch._foreach_sqrt(torch._foreach_div(second, 1 - self.beta2**t))
        torch._foreach_add_(root, self.eps)
        torch._foreach_addcdiv_(weights, first, root, -lr / (1 - self.beta1**t))
