// Package piixide models function 1 of the Intel 82371SB (PIIX3, datasheet
// 290550): two ATA channels at the ports of the PC/AT, with the bus master of
// "Programming Interface for Bus Master IDE Controller", revision 1.0.
package piixide

import (
	"encoding/binary"
	"fmt"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Configuration registers (§2.3).
const (
	idetim  = 0x40 // timing and decode enable, a word for each channel
	sidetim = 0x44
)

const ideDecode = 0x80 // in the upper byte of IDETIM

// Bus master registers, from 0 for the first channel and 8 for the second.
const (
	bmicom = 0 // command
	bmista = 2 // status
	bmidtp = 4 // descriptor table pointer
)

const (
	comStart = 1 << 0
	comRead  = 1 << 3 // the bus master writes to memory

	staActive = 1 << 0
	staError  = 1 << 1
	staINTR   = 1 << 2
	staDrives = 3 << 5 // scratch bits: drives are DMA capable
)

// Config wires the controller.
type Config struct {
	Env    dev.Env
	Bus    *pci.Bus
	Device int // PCI device number, of which this is function 1
	// Drives are primary master, primary slave, secondary master, secondary
	// slave.
	Drives [4]*ide.DriveConfig
	IRQ    [2]irq.Line // ISA interrupts 14 and 15
	Sync   bool
	// Decode has the channels' ports answer from reset on, as an ISA
	// controller's do, for firmware that knows nothing of PCI (the Bochs
	// BIOS's legacy variant). The chip waits for IDETIM.
	Decode bool
}

// Controller is the IDE function.
type Controller struct {
	fn *pci.Function
	ch [2]*channel
}

// New returns the controller, plugged into c.Bus.
func New(c Config) *Controller {
	k := &Controller{}
	f := pci.NewFunction(pci.Header{Name: "PIIX3 IDE", Vendor: 0x8086, Device: 0x7010, Class: 0x010180,
		SubVendor: 0x1af4, SubDevice: 0x1100})
	k.fn = f
	f.SetInit(pci.Status, 0x80, 0x02)
	f.Writable(pci.Command, pci.CmdIO|pci.CmdBusMaster, 0)
	if c.Decode {
		f.SetInit(pci.Command, pci.CmdIO)
		f.SetInit(idetim+1, ideDecode, 0, ideDecode)
	}
	f.Writable(idetim, 0xff, 0xf3, 0xff, 0xf3, 0xff)
	f.Writable(sidetim, 0xff)
	bm := mem.NewContainer("piix-bmdma", 16)
	for i := range k.ch {
		ch := &channel{fn: f}
		k.ch[i] = ch
		ch.out = c.IRQ[i]
		ch.Channel = ide.New(ide.Config{Env: c.Env, DMA: ch, IRQ: ch.intrq, Sync: c.Sync,
			Drives: [2]*ide.DriveConfig{c.Drives[2*i], c.Drives[2*i+1]}})
		bm.Add(uint64(8*i), mem.NewIO("piix-bmdma", 8, ch))
		ch.legacy[0], ch.legacy[1] = ch.CommandRegion(), ch.ControlRegion()
		for _, r := range ch.legacy {
			r.Enable(false)
		}
	}
	f.IOBAR(4, bm)
	f.OnConfig(func(off, size int) { k.decode() })
	c.Bus.Plug(c.Device, 1, f)
	return k
}

// MapLegacy adds the channels' fixed ports to the I/O space. They answer when
// the function's registers say so.
func (k *Controller) MapLegacy(io *mem.Region) {
	for i, base := range []uint64{0x1f0, 0x170} {
		io.Add(base, k.ch[i].legacy[0])
		io.Add(base+0x206, k.ch[i].legacy[1])
	}
}

// decode enables the channels' ports: I/O space enable and IDE decode enable.
func (k *Controller) decode() {
	conf := k.fn.Config()
	for i, ch := range k.ch {
		on := conf[pci.Command]&pci.CmdIO != 0 && conf[idetim+2*i+1]&ideDecode != 0
		for _, r := range ch.legacy {
			r.Enable(on)
		}
	}
}

// Function returns the PCI function.
func (k *Controller) Function() *pci.Function { return k.fn }

// Channel returns channel 0 or 1.
func (k *Controller) Channel(i int) *ide.Channel { return k.ch[i&1].Channel }

// Busy reports whether an image access is under way.
func (k *Controller) Busy() bool { return k.ch[0].Busy() || k.ch[1].Busy() }

// Reset implements dev.Device.
func (k *Controller) Reset() {
	k.fn.Reset()
	for _, ch := range k.ch {
		ch.Channel.Reset()
		ch.bm = bm{}
	}
}

// Settle implements dev.Settler.
func (k *Controller) Settle() {
	for _, ch := range k.ch {
		ch.Channel.Settle()
	}
}

// State implements dev.Device.
func (k *Controller) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", k.fn.State)
	for i, ch := range k.ch {
		s.Sub(fmt.Sprintf("channel%d", i), ch.Channel.State)
		s.Sub(fmt.Sprintf("bm%d", i), ch.bm.state)
	}
}

// bm is the state of one channel's bus master.
type bm struct {
	command, status uint8
	table           uint32 // BMIDTP
	next            uint32 // address of the next descriptor
	addr, left      uint32 // what is left of the current region
	last            bool   // it is the table's last
	level           bool   // of INTRQ, to see it rise
}

func (b *bm) state(s *snap.Section) {
	s.Version(1)
	s.U8("command", &b.command)
	s.U8("status", &b.status)
	s.U32("table", &b.table)
	s.U32("next", &b.next)
	s.U32("addr", &b.addr)
	s.U32("left", &b.left)
	s.Bool("last", &b.last)
	s.Bool("intrq", &b.level)
	s.Check(b.left <= 0x10000, "PRD is too long")
}

// channel is an ATA channel with its bus master.
type channel struct {
	*ide.Channel
	fn     *pci.Function
	out    irq.Line
	legacy [2]*mem.Region
	bm     bm
}

// intrq is driven by the drives: its rising edge is what the interrupt bit
// remembers.
func (ch *channel) intrq(level bool) {
	if level && !ch.bm.level {
		ch.bm.status |= staINTR
	}
	ch.bm.level = level
	ch.out.Set(level)
}

// Read implements mem.MMIO for the channel's eight bus master registers.
func (ch *channel) Read(off uint64, size int) uint64 {
	var v uint64
	for i := range size {
		v |= uint64(ch.reg(int(off)+i)) << (8 * i)
	}
	return v
}

func (ch *channel) reg(off int) uint8 {
	switch {
	case off == bmicom:
		return ch.bm.command
	case off == bmista:
		return ch.bm.status
	case off >= bmidtp && off < bmidtp+4:
		return uint8(ch.bm.table >> (8 * (off - bmidtp)))
	}
	return 0xff
}

// Write implements mem.MMIO.
func (ch *channel) Write(off uint64, size int, v uint64) {
	for i := range size {
		ch.setReg(int(off)+i, uint8(v>>(8*i)))
	}
}

func (ch *channel) setReg(off int, v uint8) {
	b := &ch.bm
	switch {
	case off == bmicom:
		old := b.command
		b.command = v & (comStart | comRead)
		switch {
		case old&comStart == 0 && v&comStart != 0:
			b.next, b.left, b.last = b.table, 0, false
			b.status |= staActive
			ch.Channel.DMAStart()
		case v&comStart == 0:
			b.status &^= staActive // §3.1: stops, and cannot go on
		}
	case off == bmista:
		b.status = b.status&staActive | v&staDrives | b.status&^v&(staINTR|staError)
	case off >= bmidtp && off < bmidtp+4:
		n := 8 * (off - bmidtp)
		b.table = (b.table&^(0xff<<n) | uint32(v)<<n) &^ 3
	}
}

// Ready implements ide.BusMaster.
func (ch *channel) Ready(toMemory bool) bool {
	b := &ch.bm
	return b.status&staActive != 0 && (b.command&comRead != 0) == toMemory
}

// Done implements ide.BusMaster: the drive is through. A table that ends just
// then makes the master inactive; if regions remain it stays active (§3.2).
func (ch *channel) Done() {
	if b := &ch.bm; b.left == 0 && b.last {
		b.status &^= staActive
	}
}

// Move implements ide.BusMaster. Each descriptor read gives at least two
// bytes, so a table that runs in circles ends with the drive's data.
func (ch *channel) Move(p []byte, toMemory bool) int {
	b := &ch.bm
	done := 0
	for done < len(p) {
		if b.left == 0 && !ch.fetch() {
			break
		}
		n := min(len(p)-done, int(b.left))
		ok := false
		if toMemory {
			ok = ch.fn.DMAWrite(uint64(b.addr), p[done:done+n])
		} else {
			ok = ch.fn.DMARead(uint64(b.addr), p[done:done+n])
		}
		if !ok { // not allowed to be a bus master: target abort
			b.status = b.status&^staActive | staError
			break
		}
		done += n
		b.addr += uint32(n)
		b.left -= uint32(n)
	}
	return done
}

// fetch reads the next descriptor: address, count (0 = 64 KiB), end of table.
func (ch *channel) fetch() bool {
	b := &ch.bm
	if b.last { // the table was too short: stop without an interrupt (§3.2)
		b.status &^= staActive
		return false
	}
	var prd [8]byte
	if !ch.fn.DMARead(uint64(b.next), prd[:]) {
		b.status = b.status&^staActive | staError
		return false
	}
	b.addr = binary.LittleEndian.Uint32(prd[0:]) &^ 1
	b.left = uint32(binary.LittleEndian.Uint16(prd[4:])) &^ 1
	if b.left == 0 {
		b.left = 0x10000
	}
	b.last = prd[7]&0x80 != 0
	// A table does not cross a 64 KiB border (§1.2): the counter wraps.
	b.next = b.next&0xffff0000 | (b.next+8)&0xffff
	return true
}
