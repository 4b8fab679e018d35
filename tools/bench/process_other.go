//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

var errLinux = errors.New("the benchmark against QEMU runs on Linux only")

func processCPU(int) (time.Duration, error) { return 0, errLinux }
func memoryAbove(int, int64) (int64, error) { return 0, errLinux }
func inRoot(*exec.Cmd, string)              {}
func processor() string                     { return "" }
