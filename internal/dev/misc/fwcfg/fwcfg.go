// Package fwcfg models the firmware configuration device of QEMU, by which
// firmware learns what machine it is in and gets files, after QEMU's
// docs/specs/fw_cfg: selector 510h, data 511h, DMA address 514h.
package fwcfg

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"

	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Keys of items (the specification's and those QEMU's x86 machines use).
const (
	Signature   = 0x00
	ID          = 0x01
	UUID        = 0x02
	RAMSize     = 0x03
	NoGraphic   = 0x04
	NumCPUs     = 0x05
	MachineID   = 0x06
	KernelAddr  = 0x07
	KernelSize  = 0x08
	KernelCmd   = 0x09
	InitrdAddr  = 0x0a
	InitrdSize  = 0x0b
	BootDevice  = 0x0c
	NUMA        = 0x0d
	BootMenu    = 0x0e
	MaxCPUs     = 0x0f
	KernelEntry = 0x10
	KernelData  = 0x11
	InitrdData  = 0x12
	CmdlineAddr = 0x13
	CmdlineSize = 0x14
	CmdlineData = 0x15
	SetupAddr   = 0x16
	SetupSize   = 0x17
	SetupData   = 0x18
	FileDir     = 0x19

	fileFirst = 0x20
	maxFiles  = 0x100

	archLocal     = 0x8000
	ACPITables    = archLocal + 0
	SMBIOSEntries = archLocal + 1
	IRQ0Override  = archLocal + 2
	E820Table     = archLocal + 3

	keyMask = archLocal | 0x3fff // 0x4000 was the write channel, now gone
)

// Bits of the DMA control field.
const (
	dmaError  = 1 << 0
	dmaRead   = 1 << 1
	dmaSkip   = 1 << 2
	dmaSelect = 1 << 3
	dmaWrite  = 1 << 4
)

// features: traditional and DMA interfaces.
const features = 3

const signature = 0x51454d5520434647 // "QEMU CFG", what the DMA address reads as

const maxName = 56

// Config wires the device.
type Config struct {
	Env dev.Env
	DMA *mem.Space // what the DMA interface reaches; nil = no DMA interface
}

// entry is an item: data, or src if that is not nil.
type entry struct {
	data  []byte
	write func(data []byte) // nil = read-only
	src   *io.SectionReader
}

func (e *entry) size() uint64 {
	if e.src != nil {
		return uint64(e.src.Size())
	}
	return uint64(len(e.data))
}

type file struct {
	name string
	key  int
}

// Device is the configuration device. Items are added by the board before
// the machine runs; they are no state of the guest's but for writable ones.
type Device struct {
	c     Config
	items map[int]*entry
	files []file // sorted by name

	selector uint16
	offset   uint32
	dmaAddr  uint64
	inDMA    bool // a transfer that hits the device's own registers

	// window is a piece of what AddSource gave, for reads by the byte.
	window   []byte
	windowOf *entry
	windowAt uint64
}

// New returns a device with signature, id and an empty directory.
func New(c Config) *Device {
	d := &Device{c: c, items: make(map[int]*entry)}
	d.AddItem(Signature, []byte("QEMU"))
	id := uint32(features)
	if c.DMA == nil {
		id = 1
	}
	d.AddU32(ID, id)
	d.directory()
	return d
}

// AddItem sets what a key holds.
func (d *Device) AddItem(key int, data []byte) { d.items[key] = &entry{data: data} }

// AddSource sets what a key holds to what src has when the guest reads it: an
// initrd need not be in the emulator's memory as well as in the guest's. The
// reads happen under the machine's lock, so src must be something that
// answers at once, as a regular file does.
func (d *Device) AddSource(key int, src *io.SectionReader) { d.items[key] = &entry{src: src} }

// AddU16 sets a key to a little-endian number.
func (d *Device) AddU16(key int, v uint16) { d.AddItem(key, binary.LittleEndian.AppendUint16(nil, v)) }

// AddU32 sets a key to a little-endian number.
func (d *Device) AddU32(key int, v uint32) { d.AddItem(key, binary.LittleEndian.AppendUint32(nil, v)) }

// AddString sets a key to a text with its final zero.
func (d *Device) AddString(key int, s string) { d.AddItem(key, append([]byte(s), 0)) }

// Item returns what a key holds that AddItem gave.
func (d *Device) Item(key int) []byte {
	if e := d.items[key]; e != nil {
		return e.data
	}
	return nil
}

// AddFile adds or replaces a named file. Names have at most 55 bytes.
func (d *Device) AddFile(name string, data []byte) error { return d.add(name, data, nil) }

// AddWritableFile adds a file that the guest can write through DMA; onWrite,
// if not nil, is called after each write.
func (d *Device) AddWritableFile(name string, data []byte, onWrite func([]byte)) error {
	if onWrite == nil {
		onWrite = func([]byte) {}
	}
	return d.add(name, data, onWrite)
}

func (d *Device) add(name string, data []byte, write func([]byte)) error {
	if name == "" || len(name) >= maxName {
		return fmt.Errorf("fw_cfg: file name %q must have 1 to %d bytes", name, maxName-1)
	}
	for _, f := range d.files {
		if f.name == name {
			d.items[f.key] = &entry{data: data, write: write}
			d.directory()
			return nil
		}
	}
	if len(d.files) == maxFiles {
		return fmt.Errorf("fw_cfg: no room for file %q: there are %d already", name, maxFiles)
	}
	// Keys are in the order of names, so that adding in another order makes
	// the same machine.
	var all []*entry
	for _, f := range d.files {
		all = append(all, d.items[f.key])
	}
	i := sort.Search(len(d.files), func(i int) bool { return d.files[i].name > name })
	d.files = slices.Insert(d.files, i, file{name: name})
	all = slices.Insert(all, i, &entry{data: data, write: write})
	for i := range d.files {
		d.files[i].key = fileFirst + i
		d.items[fileFirst+i] = all[i]
	}
	d.directory()
	return nil
}

// File returns the content of a file.
func (d *Device) File(name string) ([]byte, bool) {
	for _, f := range d.files {
		if f.name == name {
			return d.items[f.key].data, true
		}
	}
	return nil, false
}

// Files returns the names of all files.
func (d *Device) Files() []string {
	var names []string
	for _, f := range d.files {
		names = append(names, f.name)
	}
	return names
}

// directory rebuilds the file directory: big-endian count, then size, key,
// two reserved bytes and the name of each.
func (d *Device) directory() {
	dir := binary.BigEndian.AppendUint32(nil, uint32(len(d.files)))
	for _, f := range d.files {
		dir = binary.BigEndian.AppendUint32(dir, uint32(len(d.items[f.key].data)))
		dir = binary.BigEndian.AppendUint16(dir, uint16(f.key))
		dir = append(dir, 0, 0)
		var name [maxName]byte
		copy(name[:], f.name)
		dir = append(dir, name[:]...)
	}
	d.AddItem(FileDir, dir)
}

// Region returns the selector and data ports, to map at 510h.
func (d *Device) Region() *mem.Region { return mem.NewIO("fwcfg", 2, ports{d}).Sizes(1, 2) }

// DMARegion returns the DMA address register, to map at 514h.
func (d *Device) DMARegion() *mem.Region { return mem.NewIO("fwcfg.dma", 8, dmaPorts{d}).Sizes(1, 8) }

// Reset implements dev.Device.
func (d *Device) Reset() { d.selector, d.offset, d.dmaAddr = 0, 0, 0 }

// State implements dev.Device.
func (d *Device) State(s *snap.Section) {
	s.Version(1)
	s.U16("selector", &d.selector)
	s.U32("offset", &d.offset)
	s.U64("dma-addr", &d.dmaAddr)
	for _, f := range d.files {
		if e := d.items[f.key]; e.write != nil {
			s.Bytes("file:"+f.name, e.data)
		}
	}
}

func (d *Device) sel(key uint16) {
	d.selector = key & keyMask
	d.offset = 0
	if d.items[int(d.selector)] == nil {
		d.c.Env.Log.Guest("fwcfg: no item %#x", key)
	}
}

// selected returns the selected item and how much of it is still to be read.
func (d *Device) selected() (e *entry, rest uint64) {
	e = d.items[int(d.selector)]
	if e == nil || uint64(d.offset) >= e.size() {
		return e, 0
	}
	return e, e.size() - uint64(d.offset)
}

// load reads what an item has from offset at on into p; it is in the item.
func (d *Device) load(e *entry, at uint64, p []byte) error {
	if e.src == nil {
		copy(p, e.data[at:])
		return nil
	}
	if n, err := e.src.ReadAt(p, int64(at)); n < len(p) {
		return err
	}
	return nil
}

// next returns the next byte of the selected item.
func (d *Device) next() byte {
	e, rest := d.selected()
	switch {
	case rest == 0:
		return 0
	case e.src == nil:
		return e.data[d.offset]
	}
	at := uint64(d.offset)
	if d.windowOf != e || at < d.windowAt || at-d.windowAt >= uint64(len(d.window)) {
		d.window = make([]byte, min(rest, chunk))
		d.windowOf, d.windowAt = e, at
		if err := d.load(e, at, d.window); err != nil {
			d.c.Env.Log.Unimp("fwcfg: item %#x cannot be read: %v", d.selector, err)
			clear(d.window)
		}
	}
	b := d.window[at-d.windowAt]
	if rest == 1 {
		d.window, d.windowOf = nil, nil
	}
	return b
}

// skip moves the offset on; it stays where it is when it would wrap.
func (d *Device) skip(n uint32) {
	if d.offset+n >= d.offset {
		d.offset += n
	}
}

type ports struct{ d *Device }

func (p ports) Read(off uint64, size int) uint64 {
	if off != 1 || size != 1 {
		return 0 // the selector is write-only
	}
	b := p.d.next()
	if _, rest := p.d.selected(); rest > 0 {
		p.d.skip(1)
	}
	return uint64(b)
}

func (p ports) Write(off uint64, size int, v uint64) {
	switch {
	case off == 0 && size == 2:
		p.d.sel(uint16(v))
	case off == 0:
		p.d.sel(uint16(v)) // a byte selects one of the first 256
	default:
		p.d.c.Env.Log.Guest("fwcfg: write of %#x to the data port", v)
	}
}
