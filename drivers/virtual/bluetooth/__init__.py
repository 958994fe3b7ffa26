"""Virtual Bluetooth LE instruments on a virtual radio, and an org.bluez to reach them by.

A hub's unmodified Bluetooth library talks to `org.bluez` on a private message bus (`bus`, `bluez`);
behind it is a controller that shares the air (`radio`) with those of the instruments
(`peripheral`): the virtual instruments of `drivers.virtual.gatt`. `ward` puts it together.

It is a model: no radio waves, and our reading of what bluetoothd does, not bluetoothd.
"""
