package pci

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Offsets in the header of configuration space (PCI 2.1 §6.1, type 00h).
const (
	VendorID      = 0x00
	DeviceID      = 0x02
	Command       = 0x04
	Status        = 0x06
	RevisionID    = 0x08
	ClassCode     = 0x09
	CacheLineSize = 0x0c
	LatencyTimer  = 0x0d
	HeaderType    = 0x0e
	BIST          = 0x0f
	BaseAddress   = 0x10
	SubVendorID   = 0x2c
	SubsystemID   = 0x2e
	ROMAddress    = 0x30
	CapPointer    = 0x34
	InterruptLine = 0x3c
	InterruptPin  = 0x3d
)

// Bits of Command and Status (§6.2.2, §6.2.3; INTx disable and status from PCI 2.3).
const (
	CmdIO          = 1 << 0
	CmdMemory      = 1 << 1
	CmdBusMaster   = 1 << 2
	CmdINTxDisable = 1 << 10

	StatusINTx    = 1 << 3
	StatusCapList = 1 << 4
)

// romBAR is the index of the expansion ROM among a function's BARs.
const romBAR = 6

// Header is what identifies a function.
type Header struct {
	Name            string // what "info qtree" and the log call it
	Vendor, Device  uint16
	Class           uint32 // base class, sub-class, interface: 0xBBSSII
	Revision        uint8
	SubVendor       uint16
	SubDevice       uint16
	Pin             uint8 // interrupt pin: 0 none, 1 INTA#...
	Multifunction   bool  // function 0 of a part that has more
	NoBusMaster     bool  // the bus master enable bit is not there
	ReadOnlyCommand bool  // the enable bits of Command cannot be changed
}

type bar struct {
	region *mem.Region // nil = not implemented
	io     bool
	size   uint64 // a power of two
	mapped bool
	addr   uint64
}

// Function is one PCI function: its configuration space, of which each bit is
// read-only, writable or cleared by writing one, and its base addresses.
type Function struct {
	Header
	bus   *Bus
	devfn uint8

	conf   [256]byte
	init   [256]byte // conf after reset
	wmask  [256]byte
	w1c    [256]byte
	bars   [7]bar
	level  bool // what the device drives on its interrupt pin
	master bool // it is accessing memory

	onConfig func(off, size int)
	nextCap  uint8 // where AddCapability goes on
	lastLink uint8
}

// NewFunction returns a function that is not yet on a bus.
func NewFunction(h Header) *Function {
	f := &Function{Header: h, nextCap: 0x40, lastLink: CapPointer}
	le := binary.LittleEndian
	le.PutUint16(f.init[VendorID:], h.Vendor)
	le.PutUint16(f.init[DeviceID:], h.Device)
	f.init[RevisionID] = h.Revision
	f.init[ClassCode], f.init[ClassCode+1], f.init[ClassCode+2] = byte(h.Class), byte(h.Class>>8), byte(h.Class>>16)
	le.PutUint16(f.init[SubVendorID:], h.SubVendor)
	le.PutUint16(f.init[SubsystemID:], h.SubDevice)
	f.init[InterruptPin] = h.Pin
	if h.Multifunction {
		f.init[HeaderType] = 0x80
	}
	if !h.ReadOnlyCommand {
		cmd := uint16(CmdIO | CmdMemory | CmdINTxDisable | 1<<6 | 1<<8) // parity, SERR#
		if !h.NoBusMaster {
			cmd |= CmdBusMaster
		}
		le.PutUint16(f.wmask[Command:], cmd)
	}
	f.w1c[Status+1] = 0xf9 // the error bits, §6.2.3
	f.wmask[CacheLineSize], f.wmask[LatencyTimer], f.wmask[InterruptLine] = 0xff, 0xff, 0xff
	f.conf = f.init
	return f
}

// SetInit gives bytes of configuration space their value after reset. The
// current value changes as well.
func (f *Function) SetInit(off int, b ...byte) {
	copy(f.init[off:], b)
	copy(f.conf[off:], b)
}

// Writable marks bits, from offset off on, that software may write.
func (f *Function) Writable(off int, mask ...byte) { copy(f.wmask[off:], mask) }

// ClearByOne marks bits that are cleared by writing ones.
func (f *Function) ClearByOne(off int, mask ...byte) { copy(f.w1c[off:], mask) }

// OnConfig has fn called after each write to configuration space, reset and
// load: fn derives what follows from the registers.
func (f *Function) OnConfig(fn func(off, size int)) { f.onConfig = fn }

// Config is the configuration space.
func (f *Function) Config() *[256]byte { return &f.conf }

// Reg16 and Reg32 read registers of configuration space.
func (f *Function) Reg16(off int) uint16 { return binary.LittleEndian.Uint16(f.conf[off:]) }

// Reg32 reads a 32-bit register of configuration space.
func (f *Function) Reg32(off int) uint32 { return binary.LittleEndian.Uint32(f.conf[off:]) }

// Devfn returns the function's place on its bus: device number * 8 + function.
func (f *Function) Devfn() uint8 { return f.devfn }

// Bus returns the bus the function is on.
func (f *Function) Bus() *Bus { return f.bus }

// Path is the function's name in a device tree: "01.2".
func (f *Function) Path() string { return fmt.Sprintf("%02x.%x", f.devfn>>3, f.devfn&7) }

// MemoryBAR makes base address n decode r, whose size must be a power of two.
func (f *Function) MemoryBAR(n int, r *mem.Region, prefetchable bool) {
	f.addBAR(n, r, false)
	if prefetchable {
		f.init[BaseAddress+4*n] |= 8
		f.conf[BaseAddress+4*n] |= 8
	}
}

// IOBAR makes base address n decode the I/O registers r.
func (f *Function) IOBAR(n int, r *mem.Region) {
	f.addBAR(n, r, true)
	f.init[BaseAddress+4*n] |= 1
	f.conf[BaseAddress+4*n] |= 1
}

// ROM gives the function an expansion ROM.
func (f *Function) ROM(image []byte) {
	size := uint64(0x800) // §6.2.5.2: the address has bits 31:11
	for size < uint64(len(image)) {
		size *= 2
	}
	f.addBAR(romBAR, mem.NewROM(f.Name+".rom", size, image), false)
	f.wmask[ROMAddress] |= 1 // enable
}

func (f *Function) addBAR(n int, r *mem.Region, io bool) {
	size := r.Size()
	if n < 0 || n > romBAR || bits.OnesCount64(size) != 1 || size > 1<<31 {
		panic(fmt.Sprintf("BUG: %s: BAR %d of %#x bytes", f.Name, n, size))
	}
	f.bars[n] = bar{region: r, io: io, size: size}
	mask := ^uint32(size - 1)
	if io {
		mask &= ^uint32(3)
	} else {
		mask &= ^uint32(15)
	}
	binary.LittleEndian.PutUint32(f.wmask[barOffset(n):], mask)
}

func barOffset(n int) int {
	if n == romBAR {
		return ROMAddress
	}
	return BaseAddress + 4*n
}

// AddCapability appends a capability of the given id and body to the list and
// returns its offset. Mask, if not nil, says which bits of the body can be
// written.
func (f *Function) AddCapability(id byte, body, mask []byte) int {
	off := int(f.nextCap)
	n := (2 + len(body) + 3) &^ 3
	if off+n > 256 {
		panic("BUG: " + f.Name + ": configuration space is full")
	}
	f.init[f.lastLink] = byte(off)
	f.init[off] = id
	copy(f.init[off+2:], body)
	copy(f.wmask[off+2:], mask)
	f.init[Status] |= StatusCapList
	f.lastLink = byte(off + 1)
	f.nextCap = byte(off + n)
	f.conf = f.init
	return off
}

// CapabilitiesAt makes the next capability lie at off (default 40h).
func (f *Function) CapabilitiesAt(off uint8) { f.nextCap = off }

// BusMaster reports whether software lets the function access memory.
func (f *Function) BusMaster() bool { return f.conf[Command]&CmdBusMaster != 0 }

// DMARead fills p from memory as the function's bus master sees it. It is
// false, and p all ones, while the function may not be a bus master.
func (f *Function) DMARead(addr uint64, p []byte) bool {
	if !f.BusMaster() || f.bus == nil || f.bus.dma == nil {
		for i := range p {
			p[i] = 0xff
		}
		return false
	}
	was := f.master
	f.master = true
	f.bus.dma.ReadBytes(addr, p)
	f.master = was
	return true
}

// DMAWrite stores p to memory, if the function may be a bus master.
func (f *Function) DMAWrite(addr uint64, p []byte) bool {
	if !f.BusMaster() || f.bus == nil || f.bus.dma == nil {
		return false
	}
	was := f.master
	f.master = true
	f.bus.dma.WriteBytes(addr, p)
	f.master = was
	return true
}

// Mastering reports whether the function is accessing memory now. It is no
// target of its own accesses: devices ignore what comes meanwhile.
func (f *Function) Mastering() bool { return f.master }

// SetIRQ drives the function's interrupt pin (true = asserted). Devices call
// it from Settle.
func (f *Function) SetIRQ(level bool) {
	f.level = level
	f.drive()
}

// drive puts the pin's level, unless disabled, onto the bus.
func (f *Function) drive() {
	if f.level {
		f.conf[Status] |= StatusINTx
	} else {
		f.conf[Status] &^= StatusINTx
	}
	if f.bus == nil || f.Pin == 0 {
		return
	}
	f.bus.setPin(f.devfn, int(f.Pin)-1, f.level && f.conf[Command+1]&(CmdINTxDisable>>8) == 0)
}

// Reset sets configuration space to its power-on state: nothing is decoded.
func (f *Function) Reset() {
	f.conf = f.init
	f.level = false
	f.changed(0, 256)
}

// State walks configuration space.
func (f *Function) State(s *snap.Section) {
	s.Version(1)
	old := f.conf
	s.Bytes("config", f.conf[:])
	if !s.Loading() {
		return
	}
	// A loaded header must be one that the guest could have made.
	for i := range f.conf {
		fixed := ^(f.wmask[i] | f.w1c[i])
		if i == Status {
			fixed &^= StatusINTx
		}
		if i < 0x40 && (f.conf[i]^f.init[i])&fixed != 0 {
			f.conf = old
			s.Check(false, fmt.Sprintf("configuration byte %#x of another device", i))
			return
		}
	}
	f.changed(0, 256)
}

func (f *Function) readConfig(off, size int) uint32 {
	var v uint32
	for i := range size {
		v |= uint32(f.conf[(off+i)&0xff]) << (8 * i)
	}
	return v
}

func (f *Function) writeConfig(off, size int, v uint32) {
	for i := range size {
		o, b := (off+i)&0xff, byte(v>>(8*i))
		c := f.conf[o]&^f.wmask[o] | b&f.wmask[o]
		f.conf[o] = c &^ (b & f.w1c[o])
	}
	f.changed(off, size)
}

// changed brings what is decoded, and the pin, in line with the registers.
func (f *Function) changed(off, size int) {
	touched := func(lo, n int) bool { return off < lo+n && off+size > lo }
	if touched(Command, 2) || touched(BaseAddress, 0x18) || touched(ROMAddress, 4) {
		f.mapBARs()
		f.drive()
	}
	if f.onConfig != nil {
		f.onConfig(off, size)
	}
}

func (f *Function) mapBARs() {
	if f.bus == nil {
		return
	}
	for i := range f.bars {
		b := &f.bars[i]
		if b.region == nil {
			continue
		}
		addr, on := f.decode(i)
		space := f.bus.mem
		if b.io {
			space = f.bus.io
		}
		if b.mapped && (!on || addr != b.addr) {
			space.Remove(b.region)
			b.mapped = false
		}
		if on && !b.mapped {
			// Below what the board puts there itself: on a real board
			// subtractive decoding never sees an address that a chip
			// with a fixed one claims.
			space.Add(addr, b.region, barPriority)
			b.mapped, b.addr = true, addr
		}
	}
}

// barPriority lets all that a board maps at fixed places win over BARs.
const barPriority = -1

// decode returns where BAR i is and whether it is decoded. Base 0 and ranges
// that reach the end of the space mean "not assigned": software sizing a BAR
// writes all ones there.
func (f *Function) decode(i int) (addr uint64, on bool) {
	b := &f.bars[i]
	v := uint64(f.Reg32(barOffset(i)))
	cmd := f.Reg16(Command)
	if b.io {
		addr = v &^ 3 &^ (b.size - 1)
		return addr, cmd&CmdIO != 0 && addr != 0 && addr+b.size-1 < 0xffff
	}
	addr = v &^ (b.size - 1)
	on = addr != 0 && addr+b.size-1 < 0xffffffff
	if i == romBAR {
		// §6.2.5.2 wants Command's memory bit as well, but the Bochs BIOS
		// copies the video ROM before it sets that.
		return addr, on && v&1 != 0
	}
	return addr, on && cmd&CmdMemory != 0
}
