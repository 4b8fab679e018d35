//go:build !linux

package vm

func newAlarm() alarm { return newTimerAlarm() }
