package fdc

import (
	"errors"

	"rhea/internal/block"
	"rhea/internal/snap"
)

const (
	sectorSize = 512
	maxSectors = 48 // of a track, of any format
	maxHeads   = 2
	maxTracks  = 84
	trackSize  = maxSectors * sectorSize
	// lastTrack is where the head stops.
	lastTrack = maxTracks
)

// Data rates as the registers have them (table 2-6).
const (
	rate500 = 0
	rate300 = 1
	rate250 = 2
	rate1M  = 3
)

// Drive types as CMOS has them.
const (
	drive360  = 1
	drive120  = 2
	drive720  = 3
	drive144  = 4
	drive288  = 5
	lastDrive = drive288
)

// format is a way to lay out a medium.
type format struct {
	drive                  uint8 // in which it is read
	tracks, heads, sectors int
	rate                   uint8
}

func (m format) size() int64 { return int64(m.tracks*m.heads*m.sectors) * sectorSize }

// formats are those that images are known by, by their size; of two of one
// size the first that suits the drive is meant. The rates are those of a drive
// with 80 tracks, which turns 5¼" media at 360 rpm.
var formats = []format{
	{drive144, 80, 2, 18, rate500}, // 1.44M
	{drive144, 80, 2, 20, rate500},
	{drive144, 80, 2, 21, rate500}, // 1.68M (DMF)
	{drive144, 82, 2, 21, rate500},
	{drive144, 83, 2, 21, rate500},
	{drive144, 80, 2, 22, rate500},
	{drive144, 80, 2, 23, rate500},
	{drive144, 80, 2, 24, rate500},
	{drive288, 80, 2, 36, rate1M}, // 2.88M
	{drive288, 80, 2, 39, rate1M},
	{drive288, 80, 2, 40, rate1M},
	{drive288, 80, 2, 44, rate1M},
	{drive288, 80, 2, 48, rate1M},
	{drive144, 80, 2, 9, rate250}, // 720K
	{drive144, 80, 2, 10, rate250},
	{drive144, 82, 2, 10, rate250},
	{drive144, 83, 2, 10, rate250},
	{drive144, 80, 2, 13, rate250},
	{drive144, 80, 2, 14, rate250},
	{drive120, 80, 2, 15, rate500}, // 1.2M
	{drive120, 80, 2, 18, rate500},
	{drive120, 82, 2, 18, rate500},
	{drive120, 83, 2, 18, rate500},
	{drive120, 80, 2, 20, rate500},
	{drive120, 80, 2, 9, rate250},
	{drive120, 80, 2, 11, rate250},
	{drive120, 40, 2, 9, rate300}, // 360K
	{drive120, 40, 1, 9, rate300}, // 180K
	{drive120, 41, 2, 10, rate300},
	{drive120, 42, 2, 10, rate300},
	{drive120, 40, 2, 8, rate250}, // 320K
	{drive120, 40, 1, 8, rate250}, // 160K
	{drive144, 80, 1, 9, rate250}, // 360K on one side
}

// accepts reports whether a drive reads media made for another.
func accepts(drive, medium uint8) bool {
	switch drive {
	case drive288:
		return medium == drive288 || medium == drive144
	case drive360:
		return medium == drive120
	case drive720:
		return medium == drive144
	}
	return drive == medium
}

// layout finds the format of an image in a drive of type typ, 0 = any. Images
// of no known size are taken for the drive's own format; what they lack is
// read as zeroes.
func layout(size int64, typ uint8) format {
	var any *format
	for i := range formats {
		m := &formats[i]
		if m.size() != size {
			continue
		}
		if typ == 0 || accepts(typ, m.drive) {
			return *m
		}
		if any == nil {
			any = m
		}
	}
	if any != nil {
		return *any
	}
	switch typ {
	case drive360:
		return format{drive120, 40, 2, 9, rate300}
	case drive120:
		return format{drive120, 80, 2, 15, rate500}
	case drive720:
		return format{drive144, 80, 2, 9, rate250}
	case drive144:
		return format{drive144, 80, 2, 18, rate500}
	}
	return format{drive288, 80, 2, 36, rate1M}
}

// drive is a floppy drive with its medium.
type drive struct {
	f   *Controller
	c   DriveConfig
	typ uint8
	fm  format
	q   *block.Queue // nil = no medium

	pos     int  // track under the head
	changed bool // the disk change latch
	next    int  // sector that comes next under the head, from 0
	// deleted has a bit for each sector with a deleted data mark. Images
	// have no place for marks: they last as long as the medium is in.
	deleted [(maxTracks*maxHeads*maxSectors + 7) / 8]byte
}

func newDrive(f *Controller, c DriveConfig) *drive {
	d := &drive{f: f, c: c, typ: c.Type}
	if d.typ > lastDrive {
		panic("BUG: fdc: no such drive type")
	}
	if c.Backend != nil {
		if d.typ == 0 {
			d.typ = layout(c.Backend.Size(), 0).drive
		}
		d.connect(c.Backend)
	}
	if d.typ == 0 {
		d.typ = drive288 // reads most
	}
	return d
}

func (d *drive) connect(b block.Backend) {
	post := d.f.c.Env.Post
	if d.f.c.Sync {
		post = nil
	}
	d.q = block.NewQueue(b, 1, post)
	d.fm = layout(b.Size(), d.typ)
	clear(d.deleted[:])
}

// reset is power on: the head is wherever it was, the latch says that nobody
// knows the medium.
func (d *drive) reset() {
	d.pos, d.next = 0, 0
	d.changed = true
}

func (d *drive) readOnly() bool {
	return d.q == nil || d.c.ReadOnly || block.IsReadOnly(d.q.Backend())
}

// diskChange is the DSKCHG line: latched when a medium is taken out, cleared
// by a step with one in.
func (d *drive) diskChange() bool { return d.changed || d.q == nil }

// step moves the head by n tracks, inwards if positive.
func (d *drive) step(n int) {
	if n != 0 && d.q != nil {
		d.changed = false
	}
	d.pos = min(max(d.pos+n, 0), lastTrack)
}

// wide reports whether the medium has a track for every second of the drive.
func (d *drive) wide() bool { return d.fm.tracks <= 42 && d.typ != drive360 }

// track is the medium's track under the head.
func (d *drive) track() int {
	if d.wide() {
		return d.pos / 2
	}
	return d.pos
}

// on reports whether the head is on a track of the medium. Some drivers step
// twice for media with 40 tracks, as one must; firmware of emulated PCs does
// not.
func (d *drive) on(track int) bool {
	return track < d.fm.tracks && (d.pos == track || d.wide() && d.pos/2 == track)
}

// sector returns the number of a sector in the image.
func (d *drive) sector(track, head, r int) int {
	return (track*d.fm.heads+head)*d.fm.sectors + r - 1
}

func (d *drive) isDeleted(sector int) bool { return d.deleted[sector/8]>>(sector%8)&1 != 0 }

func (d *drive) setDeleted(sector, n int, on bool) {
	for s := sector; s < sector+n; s++ {
		d.deleted[s/8] &^= 1 << (s % 8)
		if on {
			d.deleted[s/8] |= 1 << (s % 8)
		}
	}
}

// ErrNoDrive says that there is no such drive.
var ErrNoDrive = errors.New("no floppy drive there")

// Type returns what CMOS says of a drive, 0 = there is none.
func (f *Controller) Type(unit int) uint8 {
	if d := f.drive(unit); d != nil {
		return d.typ
	}
	return 0
}

// Geometry returns the tracks, heads and sectors per track that a drive is
// made for.
func (f *Controller) Geometry(unit int) (tracks, heads, sectors int) {
	switch f.Type(unit) {
	case drive360:
		return 40, 2, 9
	case drive120:
		return 80, 2, 15
	case drive720:
		return 80, 2, 9
	case drive144:
		return 80, 2, 18
	case drive288:
		return 80, 2, 36
	}
	return 0, 0, 0
}

// Medium returns the image in a drive, nil if there is none.
func (f *Controller) Medium(unit int) (block.Backend, error) {
	d := f.drive(unit)
	if d == nil {
		return nil, ErrNoDrive
	}
	if d.q == nil {
		return nil, nil
	}
	return d.q.Backend(), nil
}

// Eject takes the medium out and returns it, nil if there was none; its user
// closes it once Wait has returned.
func (f *Controller) Eject(unit int) (*block.Queue, error) {
	d := f.drive(unit)
	if d == nil {
		return nil, ErrNoDrive
	}
	old := d.remove()
	f.Settle()
	return old, nil
}

// Insert puts a medium in. What was in comes back.
func (f *Controller) Insert(unit int, b block.Backend, readOnly bool) (*block.Queue, error) {
	d := f.drive(unit)
	if d == nil {
		return nil, ErrNoDrive
	}
	old := d.remove()
	d.c.ReadOnly = readOnly
	d.connect(b)
	f.Settle()
	return old, nil
}

// remove takes the medium out. A command that uses it ends with an error.
func (d *drive) remove() *block.Queue {
	old := d.q
	if f := d.f; f.phase == phExec && f.x.op != opNone && f.drive(f.x.drive) == d {
		f.fail(st1MA, 0)
	}
	d.q = nil
	d.changed = true
	clear(d.deleted[:])
	return old
}

func (d *drive) state(s *snap.Section) {
	s.Version(1)
	s.Int("track", &d.pos, 0, lastTrack)
	s.Bool("changed", &d.changed)
	s.Int("next-sector", &d.next, 0, maxSectors)
	s.Bytes("deleted", d.deleted[:])
}
