package system

import (
	"errors"
	"fmt"
	"io"
	"time"

	"rhea/internal/block"
	"rhea/internal/block/overlay"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/monitor/hmp"
	"rhea/internal/vm"
)

// medium is what is in a drive; its fields are nil if that is nothing.
type medium struct {
	backend block.Backend // what the drive's controller sees
	img     image
	layer   *overlay.Overlay // -snapshot's, over img
	format  string
}

// close has an error that nobody hears of.
func (md *medium) close() {
	switch {
	case md.layer != nil:
		md.layer.Close() // and what is below
	case md.img != nil:
		md.img.Close()
	}
}

// inserted lists the media.
func (m *machine) inserted() (list []*medium) {
	if m.vm == nil {
		return nil
	}
	m.vm.Do(func() {
		for i := range m.cfg.Drives {
			if md := m.media[&m.cfg.Drives[i]]; md != nil {
				list = append(list, md)
			}
		}
	})
	return list
}

// driveName is what the monitor calls a drive.
func driveName(d *Drive) string {
	switch {
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
			Name: driveName(d), Node: d.ID, File: d.File, Format: "raw", Cache: d.Cache.String(),
			ReadOnly: d.ReadOnly || d.CDROM, Removable: d.removable(),
		}
		if md := m.media[d]; md != nil && md.img != nil {
			row.Size, row.Used, row.Format = md.img.Size(), md.img.Used(), md.format
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

// removable finds a drive with removable media by its name or its id.
func (m *machine) removable(name string) (*Drive, error) {
	for i := range m.cfg.Drives {
		d := &m.cfg.Drives[i]
		switch {
		case driveName(d) != name && (d.ID != name || name == ""):
		case !d.removable():
			return nil, fmt.Errorf("the device '%s' is not removable", name)
		default:
			return d, nil
		}
	}
	return nil, fmt.Errorf("the device '%s' was not found", name)
}

// swap takes a drive's medium out and puts another in.
func (m *machine) swap(d *Drive, md *medium, next Drive, force bool) error {
	b := md.backend
	var was *medium
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
			d.File, d.Format, d.ReadOnly, d.Inject = next.File, next.Format, next.ReadOnly, next.Inject
			was, m.media[d] = m.media[d], md
		}
	})
	if errors.Is(err, ide.ErrLocked) {
		return fmt.Errorf("the device '%s' is locked and force was not specified, wait for tray to open and try again", driveName(d))
	}
	if err == nil && old != nil {
		m.retire(old, was)
	}
	return err
}

// retire closes a medium when what its queue does is done, off the lock.
// A failed access for which the machine has been stopped (werror=stop) is not
// waited for: the "cont" that has it tried again may come from the caller.
func (m *machine) retire(q *block.Queue, md *medium) {
	done := make(chan struct{})
	go func() {
		q.Wait()
		md.close()
		close(done)
	}()
	for n := 0; n < 100 || m.vm.State() == vm.Running; n++ {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// eject is the monitor's "eject".
func (m *machine) eject(_ io.Writer, a hmp.Args) error {
	d, err := m.removable(a.Text("device"))
	if err != nil {
		return err
	}
	return m.ejectDrive(d, a.Has("-f"))
}

func (m *machine) ejectDrive(d *Drive, force bool) error {
	var next Drive
	m.vm.Do(func() { next = *d })
	next.File = ""
	return m.swap(d, &medium{}, next, force)
}

// change is the monitor's "change".
func (m *machine) change(_ io.Writer, a hmp.Args) error {
	if a.Text("device") == "vnc" {
		return m.changeVNC(a.Text("filename"), a.Text("format"))
	}
	d, err := m.removable(a.Text("device"))
	if err != nil {
		return err
	}
	return m.changeDrive(d, a.Text("filename"), a.Text("format"), a.Text("read-only-mode"), a.Has("-f"))
}

// changeDrive puts another medium in; format and mode may be "".
func (m *machine) changeDrive(d *Drive, file, format, mode string, force bool) error {
	var next Drive
	m.vm.Do(func() { next = *d })
	next.File, next.Format, next.Inject = file, "", nil
	if err := next.cutInject(); err != nil {
		return err
	}
	if format != "" {
		if err := checkFormat(format, &next.Format); err != nil {
			return err
		}
	}
	switch {
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
	md, err := m.image(&next)
	if err != nil {
		return err
	}
	if err := m.swap(d, md, next, force); err != nil {
		md.close()
		return err
	}
	return nil
}
