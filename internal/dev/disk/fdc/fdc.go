// Package fdc models the Intel 82077AA floppy disk controller (order number
// 290166-007) with two drives, as a PC/AT has it. The numbers of sections and
// tables below are that datasheet's.
//
// What it does beyond the datasheet: PART ID, DRIVE SPECIFICATION, OPTION and
// POWERDOWN MODE are the 82078's, for the controllers that emulated PCs have
// say they are one. A read without a medium ends with an error: the chip would
// wait for an index pulse forever. The Bochs BIOS neither seeks nor sets a data
// rate: implied seeks are on after a reset, and until a data rate is written
// all are right. Tracks pass as fast as the image is read.
package fdc

import (
	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

// Registers (table 2-1).
const (
	rgSRA  = iota
	rgSRB  //
	rgDOR  //
	rgTDR  //
	rgMSR  // written: DSR
	rgFIFO //
)

// Digital output register (§2.1.2).
const (
	dorSelect = 0x03
	dorNReset = 0x04
	dorDMAEN  = 0x08
)

// Main status register (§2.1.4).
const (
	msrRQM  = 0x80
	msrDIO  = 0x40
	msrNDMA = 0x20
	msrBusy = 0x10
)

// Data rate select register (§2.1.5).
const (
	dsrReset = 0x80
	dsrPower = 0x40
)

// CONFIGURE's second byte (§5.2.7).
const (
	cfgEIS   = 0x40 // implied seek
	cfgNFIFO = 0x20 // FIFO disabled
	cfgPoll  = 0x10 // polling disabled
)

// phase is where the controller is in a command (§4.0).
type phase uint8

const (
	phIdle    phase = iota
	phCommand       // parameters come
	phExec
	phResult
)

// What the controller waits for.
const (
	evReset = iota // polling after a reset
	evExec         // a command's execution begins
	evPIO          // the next interrupt for data, without DMA
	evSeek         // of drive 0; the others follow
	nEvents = evSeek + 4
)

// Delays. Drivers wait for interrupts and do not mind how soon they come, but
// some forget the last one after they have sent a command's last byte.
const (
	us           = int64(1000)
	resetDelay   = 250 * us // §7.4: time for CONFIGURE to disable polling
	commandDelay = 50 * us
	seekDelay    = 100 * us
	stepDelay    = 10 * us
	pioDelay     = 10 * us
)

// DriveConfig describes a drive.
type DriveConfig struct {
	Type     uint8         // as CMOS has it: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M; 0 = what the medium wants
	Backend  block.Backend // nil = no medium
	ReadOnly bool
}

// Config wires a controller.
type Config struct {
	Env  dev.Env
	IRQ  irq.Line
	DREQ irq.Line // of the DMA channel, whose peer the controller is
	// Drives are A: and B:, nil = absent.
	Drives [2]*DriveConfig
	// Sync makes image accesses happen at once, under the machine's lock
	// (tests, deterministic mode).
	Sync bool
}

// Controller is an 82077AA with its drives.
type Controller struct {
	c      Config
	drives [2]*drive // nil = absent

	dor, tdr, dsr, rate uint8
	rateSet             bool // somebody has written the data rate

	phase phase
	cmd   [16]byte // the command and its parameters
	ncmd  int      // bytes there are
	need  int      // bytes there will be
	res   [16]byte
	rpos  int
	rend  int

	specify [2]uint8
	config  uint8
	pretrk  uint8
	lock    bool
	perp    uint8 // OW is not kept
	eot     uint8 // of the last command, for DUMPREG
	pcn     [4]uint8
	spec    [4]uint8 // DRIVE SPECIFICATION
	option  uint8

	intr    bool     // the INT pin, but for DMAGATE
	polls   int      // SENSE INTERRUPTs that a reset still wants
	sought  uint8    // drives whose seek has ended and was not asked about
	seekST0 [4]uint8 // what SENSE INTERRUPT then says
	busy    uint8    // DRVx BUSY

	at    [nEvents]int64 // 0 = not waited for
	timer *vclock.Timer

	x transfer
}

// New returns a controller.
func New(c Config) *Controller {
	f := &Controller{c: c}
	f.x.buf = make([]byte, trackSize)
	for i, dc := range c.Drives {
		if dc != nil {
			f.drives[i] = newDrive(f, *dc)
		}
	}
	if c.Env.Clock != nil {
		f.timer = c.Env.Clock.NewTimer(f.expire)
	}
	f.Reset()
	return f
}

// Reset implements dev.Device (the RESET pin).
func (f *Controller) Reset() {
	f.dor, f.tdr = 0, 0
	f.dsr, f.rate, f.rateSet = 2, 2, false // 250 Kbps
	f.lock = false
	f.specify = [2]uint8{}
	f.perp, f.eot, f.option = 0, 0, 0
	f.pcn, f.spec = [4]uint8{}, [4]uint8{}
	f.softReset()
	for _, d := range f.drives {
		if d != nil {
			d.reset()
		}
	}
}

// softReset is what DOR's and DSR's reset bits do (§6.0): all but what LOCK
// protects, the step rates, the data rate.
func (f *Controller) softReset() {
	f.abandon()
	f.phase = phIdle
	f.ncmd, f.need, f.rpos, f.rend = 0, 0, 0, 0
	if f.lock {
		f.config = f.config&(cfgNFIFO|0xf) | cfgEIS
	} else {
		f.config, f.pretrk = cfgEIS|cfgNFIFO, 0
	}
	f.perp &^= 3 // GAP, WGATE
	f.intr = false
	f.polls, f.sought, f.busy = 0, 0, 0
	f.seekST0 = [4]uint8{}
	f.at = [nEvents]int64{}
}

func (f *Controller) now() int64 {
	if f.c.Env.Clock == nil {
		return 0
	}
	return f.c.Env.Clock.Now()
}

// after has an event happen in d.
func (f *Controller) after(ev int, d int64) { f.at[ev] = f.now() + d }

// released follows the end of a reset: drives are polled, and none was ready
// before (§7.4).
func (f *Controller) released() { f.after(evReset, resetDelay) }

func (f *Controller) inReset() bool { return f.dor&dorNReset == 0 }

// expire is the timer's.
func (f *Controller) expire() {
	f.due(f.now())
	f.Settle()
}

func (f *Controller) due(now int64) {
	for ev := range f.at {
		if f.at[ev] == 0 || f.at[ev] > now {
			continue
		}
		f.at[ev] = 0
		switch ev {
		case evReset:
			f.polls, f.intr = 4, true
		case evExec:
			f.execute()
		case evPIO:
			f.intr = f.intr || f.x.ready() && !f.x.dma
		default:
			f.seekEnds(ev - evSeek)
		}
	}
}

// Settle implements dev.Settler.
func (f *Controller) Settle() {
	if f.timer != nil {
		var first int64
		for _, t := range f.at {
			if t != 0 && (first == 0 || t < first) {
				first = t
			}
		}
		if first != 0 {
			f.timer.Set(first)
		} else {
			f.timer.Stop()
		}
	}
	// §2.1.2: DMAGATE# holds back both pins. DREQ comes last: data may move
	// from within, and then all is different.
	gate := f.dor&dorDMAEN != 0
	f.c.IRQ.Set(f.intr && gate)
	f.c.DREQ.Set(f.x.ready() && f.x.dma && gate)
}

// Busy reports whether an image access is under way.
func (f *Controller) Busy() bool { return f.x.inFlight }

// Regions returns ports 3F0h-3F5h and port 3F7h.
func (f *Controller) Regions() (regs, dir *mem.Region) {
	return mem.NewIO("fdc", 6, registers{f}).Sizes(1, 1), mem.NewIO("fdc-dir", 1, dirCCR{f}).Sizes(1, 1)
}

type registers struct{ f *Controller }

func (r registers) Read(off uint64, _ int) uint64 {
	f := r.f
	switch off {
	case rgSRA:
		return uint64(f.readSRA())
	case rgSRB:
		return uint64(f.readSRB())
	case rgDOR:
		return uint64(f.dor)
	case rgTDR:
		return uint64(f.tdr)
	case rgMSR:
		return uint64(f.readMSR())
	case rgFIFO:
		v := f.readFIFO()
		f.Settle()
		return uint64(v)
	}
	return 0xff
}

func (r registers) Write(off uint64, _ int, v uint64) {
	f, b := r.f, uint8(v)
	switch off {
	case rgDOR:
		f.writeDOR(b)
	case rgTDR:
		f.tdr = b & 3
	case rgMSR:
		f.dsr, f.rate, f.rateSet = b&^dsrReset, b&3, true
		if b&dsrReset != 0 && !f.inReset() { // clears itself
			f.softReset()
			f.released()
		}
	case rgFIFO:
		f.writeFIFO(b)
	default:
		return // SRA and SRB are read-only
	}
	f.Settle()
}

type dirCCR struct{ f *Controller }

// Read is the digital input register: of it an AT's controller drives the
// disk change line only.
func (p dirCCR) Read(uint64, int) uint64 {
	if d := p.f.drive(int(p.f.dor & dorSelect)); d != nil && d.diskChange() {
		return 0x80
	}
	return 0
}

// Write is the configuration control register.
func (p dirCCR) Write(_ uint64, _ int, v uint64) { p.f.rate, p.f.rateSet = uint8(v)&3, true }

func (f *Controller) drive(n int) *drive {
	if n < 0 || n >= len(f.drives) {
		return nil
	}
	return f.drives[n]
}

// readSRA is status register A as a PS/2 has it.
func (f *Controller) readSRA() uint8 {
	v := uint8(0x04) // INDEX#
	if f.intr {
		v |= 0x80
	}
	if f.drives[1] == nil {
		v |= 0x40 // DRV2#
	}
	d := f.drive(int(f.dor & dorSelect))
	if d == nil || d.pos != 0 {
		v |= 0x10 // TRK0#
	}
	if f.phase == phExec && f.x.head == 1 {
		v |= 0x08
	}
	if d == nil || !d.readOnly() {
		v |= 0x02 // WP#
	}
	return v
}

// readSRB is status register B as a PS/2 has it.
func (f *Controller) readSRB() uint8 {
	return 0xc0 | f.dor&1<<5 | f.dor>>4&3
}

func (f *Controller) readMSR() uint8 {
	if f.inReset() {
		return 0
	}
	v := f.busy
	switch f.phase {
	case phIdle:
		v |= msrRQM
	case phCommand:
		v |= msrRQM | msrBusy
	case phExec:
		v |= msrBusy
		if !f.x.dma && f.x.op.moves() {
			v |= msrNDMA
			if f.x.ready() {
				v |= msrRQM
			}
			if f.x.op.toHost() {
				v |= msrDIO
			}
		}
	case phResult:
		v |= msrRQM | msrDIO | msrBusy
	}
	return v
}

func (f *Controller) writeDOR(v uint8) {
	old := f.dor
	f.dor = v
	switch {
	case v&dorNReset == 0:
		f.softReset()
	case old&dorNReset == 0:
		f.dsr &^= dsrPower
		f.released()
	}
}

func (f *Controller) readFIFO() uint8 {
	switch {
	case f.inReset():
		return 0
	case f.phase == phResult && f.rpos < f.rend:
		v := f.res[f.rpos]
		f.rpos++
		f.lower() // §5.0: the first byte's read resets INT
		if f.rpos == f.rend {
			f.idle()
		}
		return v
	case f.phase == phExec && !f.x.dma && f.x.op.toHost() && f.x.ready():
		var b [1]byte
		f.lower()
		f.give(b[:], false)
		f.pioNext()
		return b[0]
	}
	f.c.Env.Log.Guest("fdc: read of the FIFO, which has nothing (phase %d)", f.phase)
	return 0
}

func (f *Controller) writeFIFO(v uint8) {
	if f.inReset() {
		return
	}
	switch f.phase {
	case phIdle:
		f.dsr &^= dsrPower
		f.cmd = [16]byte{v}
		f.ncmd = 1
		c := lookup(v)
		f.need = 1 + c.params
		f.phase = phCommand
	case phCommand:
		if f.ncmd < len(f.cmd) {
			f.cmd[f.ncmd] = v
			f.ncmd++
		}
		if f.cmd[0] == cmdDriveSpec && v&0x80 != 0 { // DN: no more
			f.need = f.ncmd
		}
	case phExec:
		if !f.x.dma && f.x.op.fromHost() && f.x.ready() {
			f.lower()
			f.take([]byte{v}, false)
			f.pioNext()
		} else {
			f.c.Env.Log.Guest("fdc: write of the FIFO during execution")
		}
		return
	default:
		f.c.Env.Log.Guest("fdc: write of the FIFO in the result phase")
		return
	}
	if f.ncmd >= f.need {
		f.ncmd, f.need = min(f.ncmd, len(f.cmd)), 0
		lookup(f.cmd[0]).run(f)
	}
}

// lower resets INT at once: what sets it again in the same access makes an
// edge.
func (f *Controller) lower() {
	f.intr = false
	f.c.IRQ.Set(false)
}

// idle ends a command. A seek that has ended meanwhile interrupts now.
func (f *Controller) idle() {
	f.phase = phIdle
	f.ncmd, f.need, f.rpos, f.rend = 0, 0, 0, 0
	if f.sought != 0 {
		f.intr = true
	}
}

// reply gives result bytes.
func (f *Controller) reply(b ...byte) {
	f.rpos, f.rend = 0, copy(f.res[:], b)
	f.phase = phResult
}
