//go:build !amd64

// Package hostfpu is empty on this host: see hostfpu_amd64.go.
package hostfpu
