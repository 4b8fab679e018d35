// Package ide models an ATA channel with two drives, disks after ATA-5
// (T13/1321D) and CD-ROMs after ATA-5's PACKET feature set with SFF-8020i and
// MMC-2. Images are read and written off the machine's lock: a drive is busy
// (BSY) meanwhile, as a real one is.
package ide

import (
	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Status register (ATA-5 §7.15.6).
const (
	stBSY  = 0x80
	stDRDY = 0x40
	stDF   = 0x20
	stDSC  = 0x10
	stDRQ  = 0x08
	stERR  = 0x01
)

// Error register (§7.9).
const (
	erICRC = 0x80
	erUNC  = 0x40
	erIDNF = 0x10
	erABRT = 0x04
)

// Device control register (§7.8).
const (
	ctHOB  = 0x80
	ctSRST = 0x04
	ctNIEN = 0x02
)

// Device register: LBA and the drive that is selected.
const (
	dvLBA = 0x40
	dvDEV = 0x10
)

// Registers of the command block.
const (
	rgData = iota
	rgError
	rgSectorCount
	rgLBALow
	rgLBAMid
	rgLBAHigh
	rgDevice
	rgStatus
)

// BusMaster moves data between memory and a drive that uses DMA.
type BusMaster interface {
	// Ready reports whether it has been started for this direction.
	Ready(toMemory bool) bool
	// Move transfers p and returns how many bytes there was room or data
	// for; fewer than len(p) means that it stopped.
	Move(p []byte, toMemory bool) int
	// Done says that the drive has ended its transfer.
	Done()
}

// DriveConfig describes a drive. A CD-ROM may have no medium.
type DriveConfig struct {
	Backend  block.Backend
	CDROM    bool
	ReadOnly bool // refuse writes whatever the backend says
	// NoWriteCache has the write cache off after a hardware reset: each write
	// is flushed until the guest turns it on.
	NoWriteCache bool
	Model        string
	Serial       string
	Firmware     string
	WWN          uint64
	// Geometry as IDENTIFY gives it, 0 = computed from the size.
	Cylinders, Heads, Sectors int
}

// Config wires a channel.
type Config struct {
	Env    dev.Env
	IRQ    irq.Line
	DMA    BusMaster       // nil = no DMA
	Drives [2]*DriveConfig // nil = none
	// Sync makes image accesses happen at once, under the machine's lock
	// (tests, deterministic mode).
	Sync bool
}

// Channel is an ATA channel.
type Channel struct {
	c       Config
	drives  [2]*drive // nil = absent
	sel     int       // DEV bit
	control uint8

	// What an absent drive 1 shows of its task file is drive 0's.
}

// New returns a channel.
func New(c Config) *Channel {
	ch := &Channel{c: c}
	for i, dc := range c.Drives {
		if dc != nil {
			ch.drives[i] = newDrive(ch, i, *dc)
		}
	}
	ch.Reset()
	return ch
}

// SetIRQ connects the interrupt, for boards whose bus master sits between.
func (ch *Channel) SetIRQ(l irq.Line) { ch.c.IRQ = l }

// SetDMA connects a bus master.
func (ch *Channel) SetDMA(bm BusMaster) { ch.c.DMA = bm }

// DMAStart tells the drives that the bus master was started.
func (ch *Channel) DMAStart() {
	for _, d := range ch.drives {
		if d != nil {
			d.dmaRun()
		}
	}
	ch.Settle()
}

// Busy reports whether an image access is under way.
func (ch *Channel) Busy() bool {
	for _, d := range ch.drives {
		if d != nil && (d.inFlight || d.smart.test.flight) {
			return true
		}
	}
	return false
}

// CommandRegion returns the eight ports of the command block (1F0h).
func (ch *Channel) CommandRegion() *mem.Region {
	return mem.NewIO("ide-command", 8, commandBlock{ch}).Sizes(1, 4)
}

// ControlRegion returns the one port of the control block (3F6h).
func (ch *Channel) ControlRegion() *mem.Region {
	return mem.NewIO("ide-control", 1, controlBlock{ch}).Sizes(1, 1)
}

// Settle implements dev.Settler: INTRQ is the selected drive's.
func (ch *Channel) Settle() {
	d := ch.drives[ch.sel]
	ch.c.IRQ.Set(d != nil && d.intrq && ch.control&ctNIEN == 0)
}

// Reset implements dev.Device (the RESET- signal).
func (ch *Channel) Reset() {
	ch.sel, ch.control = 0, 0
	for _, d := range ch.drives {
		if d != nil {
			d.hardReset()
		}
	}
}

// selected returns the drive that answers, nil if there is none at all, and
// whether it answers for an absent one (§9.16.1).
func (ch *Channel) selected() (d *drive, absent bool) {
	if d = ch.drives[ch.sel]; d != nil {
		return d, false
	}
	return ch.drives[1-ch.sel], true
}

type commandBlock struct{ ch *Channel }

func (c commandBlock) Read(off uint64, size int) uint64 {
	ch := c.ch
	d, absent := ch.selected()
	if off == rgData {
		if d == nil || absent {
			return 0
		}
		v := d.readData(size)
		ch.Settle()
		return v
	}
	v := uint64(ch.read(d, absent, int(off)))
	for i := 1; i < size; i++ { // a word or dword: the registers that follow
		v |= uint64(ch.read(d, absent, int(off)+i)) << (8 * i)
	}
	ch.Settle()
	return v
}

func (ch *Channel) read(d *drive, absent bool, reg int) uint8 {
	if d == nil || reg > rgStatus {
		return 0 // with no drive at all no guest must see one
	}
	if absent && d.fresh && reg != rgDevice {
		return 0 // a signature would make the absent drive look present
	}
	hob := 0
	if ch.control&ctHOB != 0 {
		hob = 1
	}
	switch reg {
	case rgError:
		if hob == 1 {
			return d.feature[1]
		}
		return d.err
	case rgSectorCount:
		return d.count[hob]
	case rgLBALow:
		return d.lbaLow[hob]
	case rgLBAMid:
		return d.lbaMid[hob]
	case rgLBAHigh:
		return d.lbaHigh[hob]
	case rgDevice:
		return d.device&^dvDEV | uint8(ch.sel)<<4
	}
	if absent {
		return 0
	}
	d.intrq = false // reading Status, not Alternate Status, acknowledges
	return d.statusNow()
}

func (c commandBlock) Write(off uint64, size int, v uint64) {
	ch := c.ch
	if off == rgData {
		if d := ch.drives[ch.sel]; d != nil {
			d.writeData(size, v)
			ch.Settle()
		}
		return
	}
	for i := range size {
		ch.write(int(off)+i, uint8(v>>(8*i)))
	}
	ch.Settle()
}

func (ch *Channel) write(reg int, v uint8) {
	if reg == rgStatus {
		ch.command(v)
		return
	}
	if reg > rgStatus {
		return
	}
	ch.control &^= ctHOB // §7.8.6: any write to the command block clears it
	for _, d := range ch.drives {
		if d == nil || d.status&stBSY != 0 {
			continue // the task file cannot be written while BSY
		}
		fresh := d.fresh
		d.fresh = false
		switch reg {
		case rgError:
			d.feature[1], d.feature[0] = d.feature[0], v
		case rgSectorCount:
			d.count[1], d.count[0] = d.count[0], v
		case rgLBALow:
			d.lbaLow[1], d.lbaLow[0] = d.lbaLow[0], v
		case rgLBAMid:
			d.lbaMid[1], d.lbaMid[0] = d.lbaMid[0], v
		case rgLBAHigh:
			d.lbaHigh[1], d.lbaHigh[0] = d.lbaHigh[0], v
		case rgDevice:
			d.device, d.fresh = v, fresh
		}
	}
	if reg == rgDevice {
		ch.sel = int(v >> 4 & 1)
	}
}

func (ch *Channel) command(cmd uint8) {
	if cmd == 0x90 { // EXECUTE DEVICE DIAGNOSTIC is for both
		for _, d := range ch.drives {
			if d != nil && d.status&stBSY == 0 {
				d.diagnostic()
			}
		}
		ch.sel = 0
		if d := ch.drives[0]; d != nil {
			d.intrq = true
		}
		return
	}
	d := ch.drives[ch.sel]
	if d == nil || ch.control&ctSRST != 0 {
		return // an absent drive ignores commands
	}
	d.execute(cmd)
}

type controlBlock struct{ ch *Channel }

// Read is Alternate Status: no side effect.
func (c controlBlock) Read(uint64, int) uint64 {
	if d := c.ch.drives[c.ch.sel]; d != nil {
		return uint64(d.statusNow())
	}
	return 0
}

func (c controlBlock) Write(_ uint64, _ int, v uint64) {
	ch := c.ch
	old := ch.control
	ch.control = uint8(v) & (ctHOB | ctSRST | ctNIEN)
	switch {
	case old&ctSRST == 0 && ch.control&ctSRST != 0:
		for _, d := range ch.drives {
			if d != nil {
				d.abandon()
				d.status = stBSY
			}
		}
	case old&ctSRST != 0 && ch.control&ctSRST == 0:
		ch.sel = 0
		for _, d := range ch.drives {
			if d != nil {
				d.softReset()
			}
		}
	}
	ch.Settle()
}

// State implements dev.Device. A channel is saved when it is not Busy.
func (ch *Channel) State(s *snap.Section) {
	s.Version(1)
	s.Int("selected", &ch.sel, 0, 1)
	s.U8("control", &ch.control)
	for i, d := range ch.drives {
		if d != nil {
			s.Sub([...]string{"drive0", "drive1"}[i], d.state)
		}
	}
}
