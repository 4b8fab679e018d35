// Package tty is the character device on a serial line of the host.
package tty

import "rhea/internal/chardev"

// Config describes the device.
type Config struct {
	chardev.PumpConfig
	Path string
}
