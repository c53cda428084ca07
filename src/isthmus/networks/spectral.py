"""Masks on the short-time spectrum: the network for noisy sounds.

    X = STFT(x_tilde)       u = log abs(X), less its mean over the frames around
    a = sigmoid(u + filters(u, v)) * X       x_hat = the inverse STFT of a

A sound is few of its frequencies at a time, noise is all of them: a network that says place by place how much
of the spectrum to keep has little to learn, and cannot invent anything. Networks on the waveform itself were
measured to lose to the Wiener filter in the same training time. Beside u the filters see v, the same of
spectra a quarter as long, taken twice as often: when things begin and end.

The encoder is the spectrum and its mask, so that the code is the spectrum of the restored sound, real and
imaginary parts, wider than the sound itself: use it with `n_components=None` and a corruption. The decoder is
the inverse transform by overlap-add (Allen & Rabiner 1977) and has nothing to learn; where the mask is 1 it
gives back the input exactly.

The last filters begin at zero: training starts from the mask m / (1 + m), where m is a bin's magnitude over
the geometric mean of those around, which is much like a Wiener filter whose noise is what is usual there. As
only the ratio counts, r(c x) = c r(x): a quiet recording is treated as a loud one. Nothing looks farther than
`reach` samples, so that a long sound may be taken in pieces.

>>> import torch
>>> from isthmus.parts import Layout
>>> mask = SpectralMask(window=64, channels=8)
>>> layout = Layout.numeric(1000, (1, 1000), signal=True)
>>> encoder, decoder = mask.build(layout, mask.code_width(layout))
>>> x = torch.randn(2, 1000)
>>> decoder(encoder(x)).shape, bool((decoder(decoder.spectrum.of(x)) - x).abs().max() < 1e-5)
(torch.Size([2, 1000]), True)
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.checks import need
from isthmus.networks.activations import Activation, SiLU
from isthmus.networks.architecture import Architecture
from isthmus.networks.chain import Hidden
from isthmus.parts import Layout

__all__ = ["SpectralMask"]

QUIET = 1e-4  # added to the power of a bin: some 60 dB below a signal of unit variance
AT_ONCE = 16  # rows masked together where no gradient is wanted: memory, not speed


class SpectralMask(Architecture):
    """Filters over the log spectrum of signals that say how much of every bin to keep.

    window: samples of which a spectrum is taken; its quarter is the step from one to the next. Speech and
        music want 30 to 70 milliseconds.
    channels: filters of each layer; every filter sees all frequencies.
    dilations: one layer for each, with the frames it looks at so far apart.
    kernel: frames a layer looks at.
    around: frames on either side over which the usual level is taken.
    activation: between layers.

    Channels of a signal are masked one by one, by the same filters.
    """

    window: int = 512
    channels: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4)
    kernel: int = 3
    around: int = 13
    activation: Activation = SiLU()

    @property
    def hop(self) -> int:
        """Samples from one spectrum to the next."""
        return self.window // 4

    @property
    def reach(self) -> int:
        """Samples on either side beyond which nothing changes the output."""
        frames = self.around + self.kernel // 2 * (1 + sum(self.dilations))
        return frames * self.hop + self.window

    def build(self, layout: Layout, n_components: int) -> tuple[Masked, Wave]:
        """The mask on the spectrum, and its inverse."""
        self._check(layout)
        width = self.code_width(layout)
        rule = f"be None for SpectralMask, whose code is a spectrum of {width:,} numbers"
        need(n_components == width, "n_components", rule, n_components, "Use n_components=None")
        spectrum = (self.window, self.hop, *layout.shape)
        return Masked(Spectrum(*spectrum), self), Wave(Spectrum(*spectrum))

    def code_width(self, layout: Layout) -> int:
        """Channels times frames times frequencies, times 2."""
        self._check(layout)
        channels, time = layout.shape
        return channels * 2 * (self.window // 2 + 1) * (time // self.hop + 1)

    def _check(self, layout: Layout) -> None:
        whole = isinstance(self.window, int) and self.window >= 16 and self.window % 8 == 0
        need(
            whole, "window", "be a multiple of 8 of at least 16", self.window, "Use SpectralMask(window=512)"
        )
        odd = isinstance(self.kernel, int) and self.kernel >= 1 and self.kernel % 2 == 1
        need(odd, "kernel", "be an odd number", self.kernel, "Use SpectralMask(kernel=3)")
        for name in ("channels", "around"):
            value = getattr(self, name)
            need(isinstance(value, int) and value >= 1, name, "be at least 1", value, f"Use {name}=32")
        good = all(isinstance(one, int) and one >= 1 for one in self.dilations)
        need(good, "dilations", "be whole numbers of at least 1", self.dilations, "Use (1, 2, 4)")
        do = "Use inputs=Signals(), or another architecture"
        need(layout.signal, "X", "be signals for SpectralMask", layout.shape or "rows of a table", do)
        longest = 2 * layout.shape[1] - 2
        do = f"Use SpectralMask(window={max(16, longest // 16 * 8)})"
        need(self.window <= longest, "window", f"be at most {longest}", self.window, do)


class Spectrum(nn.Module):
    """The short-time Fourier transform of rows (n, channels * time), flat, and its inverse.

    Rows longer than those of the layout may be any whole number of hops.
    """

    taper: Tensor

    def __init__(self, window: int, hop: int, channels: int, time: int) -> None:
        super().__init__()
        self.window, self.hop, self.channels, self.time = window, hop, channels, time
        self.register_buffer("taper", torch.hann_window(window), persistent=False)

    def complex(self, x: Tensor) -> Tensor:
        """(n, channels * time) -> (n * channels, frequencies, frames)."""
        signals = x.reshape(x.shape[0] * self.channels, -1)
        return torch.stft(
            signals,
            self.window,
            self.hop,
            window=self.taper.to(x.dtype),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )

    def of(self, x: Tensor) -> Tensor:
        """(n, channels * time) -> (n, k)."""
        return self.flat(self.complex(x), x.shape[0])

    def flat(self, bins: Tensor, n: int) -> Tensor:
        """(n * channels, frequencies, frames) -> (n, k)."""
        return torch.view_as_real(bins).reshape(n, -1)

    def inverse(self, z: Tensor) -> Tensor:
        """(n, k) -> (n, channels * time)."""
        parts = z.reshape(z.shape[0] * self.channels, self.window // 2 + 1, -1, 2).contiguous()
        frames = parts.shape[2]
        known = frames == self.time // self.hop + 1
        length = self.time if known else (frames - 1) * self.hop
        taper = self.taper.to(z.dtype)
        signals = torch.istft(
            torch.view_as_complex(parts), self.window, self.hop, window=taper, center=True, length=length
        )
        return signals.reshape(z.shape[0], -1)


class Masked(nn.Module):
    """x (n, d) -> the spectrum, each bin times a gain between 0 and 1, as (n, k)."""

    def __init__(self, spectrum: Spectrum, part: SpectralMask) -> None:
        super().__init__()
        self.spectrum, self.around = spectrum, part.around
        self.fine = Spectrum(spectrum.window // 4, spectrum.hop // 2, spectrum.channels, spectrum.time)
        bins, wide, size = spectrum.window // 2 + 1, part.channels, part.kernel
        seen = bins + 2 * (self.fine.window // 2 + 1)
        self.first = nn.Conv1d(seen, wide, size, padding=size // 2)
        self.layers = nn.ModuleList(
            nn.Conv1d(wide, wide, size, padding=step * (size // 2), dilation=step) for step in part.dilations
        )
        self.hidden = nn.ModuleList(Hidden(part.activation) for _ in range(len(part.dilations) + 1))
        self.last = nn.Conv1d(wide, bins, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast("Tensor", self.last.bias))

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k)."""
        if not torch.is_grad_enabled() and x.shape[0] > AT_ONCE:
            return torch.cat([self(part) for part in x.split(AT_ONCE)])
        bins = self.spectrum.complex(x)
        return self.spectrum.flat(bins * self.gain(bins, self.fine.complex(x)), x.shape[0])

    def gain(self, bins: Tensor, fine: Tensor) -> Tensor:
        """Spectra (m, frequencies, frames), and short ones twice as often, -> gains of the first's shape."""
        u = self._levels(_log(bins))
        often = F.pad(_log(fine), (0, 1), mode="replicate")[..., : 2 * u.shape[2]]
        v = self._levels(torch.cat([often[..., ::2], often[..., 1::2]], 1))
        h = self.hidden[0](self.first(torch.cat([u, v], 1)))
        for layer, hidden in zip(self.layers, self.hidden[1:], strict=True):
            h = h + hidden(layer(h))
        return torch.sigmoid(u + self.last(h).to(u.dtype))

    def _levels(self, level: Tensor) -> Tensor:
        """Log magnitudes, less their mean over all frequencies and the frames around."""
        width = 2 * self.around + 1
        usual = F.avg_pool1d(level.mean(1, keepdim=True), width, 1, self.around, count_include_pad=False)
        return level - usual


def _log(bins: Tensor) -> Tensor:
    """The logarithm of magnitudes."""
    return 0.5 * torch.log(bins.real.square() + bins.imag.square() + QUIET)


class Wave(nn.Module):
    """A spectrum (n, k) -> the sound (n, d)."""

    def __init__(self, spectrum: Spectrum) -> None:
        super().__init__()
        self.spectrum = spectrum

    def forward(self, z: Tensor) -> Tensor:
        """(n, k) -> (n, d)."""
        return self.spectrum.inverse(z)
