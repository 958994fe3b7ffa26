"""A&D UA-767: by cable (`pc`), over Bluetooth with its sister scales (`pbt`)."""
