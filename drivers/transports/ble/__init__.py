"""Bluetooth LE through BlueZ: one radio that listens, connections to enrolled instruments, pairing.

bus      what BlueZ shows and takes, over the system bus; nothing here is waited for without an end
scanner  the one scanner: who is heard, and when
link     an open connection, a GattLink over bleak
ladder   what to do when nothing is heard: pure
radio    scanner, connector and repair of one adapter
agent    answers to what BlueZ asks while an instrument pairs
pairing  what an operator does: find, pair, list and remove instruments
"""
