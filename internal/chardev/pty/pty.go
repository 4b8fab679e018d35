// Package pty is the character device on a pseudo-terminal of the host: other
// programs open its slave side.
package pty

import "rhea/internal/chardev"

// Config describes the device.
type Config struct{ chardev.PumpConfig }
