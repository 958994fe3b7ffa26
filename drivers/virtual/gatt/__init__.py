"""Virtual Bluetooth LE instruments, the far end of a GattLink: pure, told what time it is."""
