package system

import (
	"errors"
	"fmt"
	"io"

	"rhea/internal/block"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/monitor/hmp"
)

// driveName is what the monitor calls a drive.
func driveName(d *Drive) string {
	switch {
	case d.ID != "":
		return d.ID
	case d.Interface == "floppy":
		return fmt.Sprintf("floppy%d", d.Unit)
	case d.CDROM:
		return fmt.Sprintf("ide%d-cd%d", d.Bus, d.Unit)
	}
	return fmt.Sprintf("ide%d-hd%d", d.Bus, d.Unit)
}

func (d *Drive) removable() bool { return d.CDROM || d.Interface == "floppy" }

// blockRows is "info block". It is called under the machine's lock, which
// keeps the drives' media.
func (m *machine) blockRows() []hmp.Block {
	var rows []hmp.Block
	for i := range m.cfg.Drives {
		d := &m.cfg.Drives[i]
		row := hmp.Block{
			Name: driveName(d), File: d.File, Format: "raw", Cache: d.Cache, ReadOnly: d.ReadOnly || d.CDROM, Removable: d.removable(),
		}
		if d.CDROM {
			if _, locked, open, err := m.pc.IDE[d.Bus].Medium(d.Unit); err == nil {
				row.Locked, row.TrayOpen = locked, open
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// removable finds a drive with removable media.
func (m *machine) removable(name string) (*Drive, error) {
	for i := range m.cfg.Drives {
		d := &m.cfg.Drives[i]
		switch {
		case driveName(d) != name:
		case !d.removable():
			return nil, fmt.Errorf("the device '%s' is not removable", name)
		default:
			return d, nil
		}
	}
	return nil, fmt.Errorf("the device '%s' was not found", name)
}

// swap takes a drive's medium out and puts another in, nil = none.
func (m *machine) swap(d *Drive, b block.Backend, next Drive, force bool) error {
	var old *block.Queue
	var err error
	m.vm.Do(func() {
		switch {
		case d.CDROM && b == nil:
			old, err = m.pc.IDE[d.Bus].Eject(d.Unit, force)
		case d.CDROM:
			old, err = m.pc.IDE[d.Bus].Insert(d.Unit, b, force)
		case b == nil:
			old, err = m.pc.FDC.Eject(d.Unit)
		default:
			old, err = m.pc.FDC.Insert(d.Unit, b, next.ReadOnly)
		}
		if err == nil {
			d.File, d.Format, d.ReadOnly = next.File, next.Format, next.ReadOnly
		}
	})
	if errors.Is(err, ide.ErrLocked) {
		return fmt.Errorf("the device '%s' is locked and force was not specified, wait for tray to open and try again", driveName(d))
	}
	if err == nil && old != nil {
		old.Wait() // off the lock: what it does, it finishes
		closeImage(old.Backend())
	}
	return err
}

// closeImage closes what closeLater would close at the end, where it has an
// error that nobody hears of.
func closeImage(b block.Backend) {
	if c, ok := b.(io.Closer); ok {
		c.Close()
	}
}

// eject is the monitor's "eject".
func (m *machine) eject(_ io.Writer, a hmp.Args) error {
	d, err := m.removable(a.Text("device"))
	if err != nil {
		return err
	}
	var next Drive
	m.vm.Do(func() { next = *d })
	next.File = ""
	return m.swap(d, nil, next, a.Has("-f"))
}

// change is the monitor's "change".
func (m *machine) change(_ io.Writer, a hmp.Args) error {
	d, err := m.removable(a.Text("device"))
	if err != nil {
		return err
	}
	var next Drive
	m.vm.Do(func() { next = *d })
	next.File, next.Format = a.Text("filename"), ""
	if f := a.Text("format"); f != "" {
		if err := checkFormat(f, &next.Format); err != nil {
			return err
		}
	}
	switch mode := a.Text("read-only-mode"); {
	case d.CDROM, mode == "" || mode == "retain":
	case mode == "read-only":
		next.ReadOnly = true
	case mode == "read-write":
		next.ReadOnly = false
	default:
		return fmt.Errorf("'%s' is not one of retain, read-only, read-write", mode)
	}
	if err := checkImage(&next); err != nil {
		return errors.Unwrap(err) // it names the option of the old image
	}
	b, err := m.image(&next)
	if err != nil {
		return err
	}
	if err := m.swap(d, b, next, a.Has("-f")); err != nil {
		closeImage(b)
		return err
	}
	return nil
}
