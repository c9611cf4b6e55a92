"""What things cost on this device."""
