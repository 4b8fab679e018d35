package system

import (
	"io"
	"slices"
	"strings"

	"rhea/internal/chardev/vc"
	"rhea/internal/display"
	"rhea/internal/display/console"
)

// textConsole is a character device that people see as a console.
type textConsole struct {
	cfg  *Chardev
	port *vc.Port
}

// textConsoles lists them in QEMU's order: monitors, then those of -chardev,
// serial ports, parallel ports.
func (m *machine) textConsoles() []textConsole {
	var l []textConsole
	for i := range m.cfg.Chardevs {
		c := &m.cfg.Chardevs[i]
		if p, ok := m.chars[c.ID].port.(*vc.Port); ok {
			l = append(l, textConsole{c, p})
		}
	}
	class := func(c *Chardev) int {
		if strings.HasPrefix(c.Option, "-chardev") {
			return 1
		}
		for i, stem := range []string{"compat_monitor", "", "serial", "parallel"} {
			if stem != "" && strings.HasPrefix(c.ID, stem) {
				return i
			}
		}
		return 4
	}
	slices.SortStableFunc(l, func(a, b textConsole) int { return class(a.cfg) - class(b.cfg) })
	return l
}

// heads are what Ctrl-Alt-1 and so on show: the adapter's picture, and the
// consoles.
func (m *machine) heads() ([]display.Head, error) {
	layout, err := m.layout()
	if err != nil {
		return nil, err
	}
	var l []display.Head
	if m.pc.Display != nil {
		l = append(l, display.Head{Screen: m.screens.screen})
	}
	for _, c := range m.textConsoles() {
		view := c.port.Open()
		m.closeLater(view)
		t := console.New(console.Config{Columns: c.cfg.Columns, Rows: c.cfg.Rows, Keys: view, Layout: layout})
		go io.Copy(t, view)
		// A console has a lock of its own.
		screen := display.NewScreen(display.ScreenConfig{Do: func(f func()) { f() }, Source: t})
		l = append(l, display.Head{Screen: screen, Text: t})
	}
	if len(l) == 0 {
		l = append(l, display.Head{Screen: m.screens.screen})
	}
	return l, nil
}
