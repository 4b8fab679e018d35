package ide

import (
	"errors"

	"rhea/internal/block"
)

// ErrLocked says that the guest has locked the tray; it is asked to eject.
var ErrLocked = errors.New("the guest has locked the tray; it has been asked to eject")

// ErrNoCDROM says that there is no drive with removable media.
var ErrNoCDROM = errors.New("no drive with removable media there")

func (ch *Channel) cdrom(unit int) (*drive, error) {
	if unit < 0 || unit > 1 || ch.drives[unit] == nil || !ch.drives[unit].c.CDROM {
		return nil, ErrNoCDROM
	}
	return ch.drives[unit], nil
}

// Medium returns the image in a CD-ROM drive, nil if there is none.
func (ch *Channel) Medium(unit int) (b block.Backend, locked, trayOpen bool, err error) {
	d, err := ch.cdrom(unit)
	if err != nil {
		return nil, false, false, err
	}
	if d.q != nil {
		b = d.q.Backend()
	}
	return b, d.locked, d.trayOpen, nil
}

// Eject takes the medium out and returns it; its user closes it once Wait
// has returned. Unless forced, a tray that the guest has locked stays shut
// and the guest is told of the wish.
func (ch *Channel) Eject(unit int, force bool) (*block.Queue, error) {
	d, err := ch.cdrom(unit)
	if err != nil {
		return nil, err
	}
	if d.locked && !force {
		d.event = eventEject
		return nil, ErrLocked
	}
	return d.remove(), nil
}

// Insert puts a medium in and closes the tray. What was in it comes back.
func (ch *Channel) Insert(unit int, b block.Backend, force bool) (*block.Queue, error) {
	d, err := ch.cdrom(unit)
	if err != nil {
		return nil, err
	}
	if d.locked && !force && d.q != nil {
		d.event = eventEject
		return nil, ErrLocked
	}
	old := d.remove()
	d.connect(b)
	d.trayOpen = false
	d.change = changeGone
	d.event = eventNew
	return old, nil
}

// remove takes the medium out. A read under way ends as it would on a real
// drive: with an error.
func (d *drive) remove() *block.Queue {
	old := d.q
	if d.inFlight {
		d.abandonRead()
	}
	d.q = nil
	d.locked = false
	if old != nil {
		d.event = eventRemoval
		d.change = changeNone
	}
	return old
}

func (d *drive) abandonRead() {
	d.gen++
	d.buf = make([]byte, chunk)
	d.inFlight = false
	d.check(senseNoMedium)
	d.ch.Settle()
}
