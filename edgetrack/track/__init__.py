"""DeepSORT over arrays: a Kalman filter, a gallery of appearances, a matching cascade (Wojke et al. 2017)."""
