"""Denoising: giving back the clean thing."""
