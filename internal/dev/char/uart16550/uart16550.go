// Package uart16550 models the National Semiconductor PC16550D UART
// (TL/C/8652, June 1995) and, with its FIFOs off, the 8250 and 16450.
//
// Bytes go out as fast as the port takes them unless Config.Paced is set: while
// a chardev.Throttler has no room the transmitter is not empty, and the guest
// waits as for a line that CTS holds up. The
// THRE interrupt comes all the same, once for each time the transmitter
// empties. Bytes come in as fast as the receiver has room. The host's side is
// a stream of bytes: words of less than eight bits are not cut off, so that a
// guest that relies on a BIOS to have set LCR is heard.
package uart16550

import (
	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Registers, Table II.
const (
	regRBR = 0 // read: receiver buffer; write: THR; DLAB: DLL
	regIER = 1 // DLAB: DLM
	regIIR = 2 // write: FCR
	regLCR = 3
	regMCR = 4
	regLSR = 5
	regMSR = 6
	regSCR = 7
)

// Interrupt enable register, §8.7.
const (
	ierERBFI = 1 << 0
	ierETBEI = 1 << 1
	ierELSI  = 1 << 2
	ierEDSSI = 1 << 3
)

// Interrupt identification, Table IV.
const (
	iirNone    = 1
	iirModem   = 0
	iirTHRE    = 2
	iirData    = 4
	iirLine    = 6
	iirTimeout = 12
	iirFIFO    = 0xc0
)

// FIFO control, §8.5.
const (
	fcrEnable  = 1 << 0
	fcrResetRx = 1 << 1
	fcrResetTx = 1 << 2
	fcrDMA     = 1 << 3
)

// Line control, §8.1.
const (
	lcrSTB   = 1 << 2
	lcrPEN   = 1 << 3
	lcrEPS   = 1 << 4
	lcrStick = 1 << 5
	lcrBreak = 1 << 6
	lcrDLAB  = 1 << 7
)

// Modem control, §8.8.
const (
	mcrDTR  = 1 << 0
	mcrRTS  = 1 << 1
	mcrOUT1 = 1 << 2
	mcrOUT2 = 1 << 3
	mcrLoop = 1 << 4
)

// Line status, §8.4.
const (
	lsrDR    = 1 << 0
	lsrOE    = 1 << 1
	lsrPE    = 1 << 2
	lsrFE    = 1 << 3
	lsrBI    = 1 << 4
	lsrTHRE  = 1 << 5
	lsrTEMT  = 1 << 6
	lsrFIFO  = 1 << 7 // a byte in the FIFO has an error
	lsrErrs  = lsrOE | lsrPE | lsrFE | lsrBI
	lsrOfone = lsrPE | lsrFE | lsrBI // errors of a byte
)

// Modem status, §8.9.
const (
	msrDCTS = 1 << 0
	msrDDSR = 1 << 1
	msrTERI = 1 << 2
	msrDDCD = 1 << 3
	msrCTS  = 1 << 4
	msrDSR  = 1 << 5
	msrRI   = 1 << 6
	msrDCD  = 1 << 7
)

const (
	fifoSize = 16
	// modemPoll is how often a real line's wires are looked at while the
	// guest wants interrupts from them.
	modemPoll = 10 * vclock.Second / 1000
)

// Config connects a UART.
type Config struct {
	Env  dev.Env
	Port chardev.Port // nil = nothing connected
	IRQ  irq.Line
	// Clock16 is the input clock divided by 16, the baud rate of divisor 1;
	// 0 is the PC's 115200.
	Clock16 int
	// Stride is the distance of the registers; 0 is 1.
	Stride uint64
	// OUT2Gate says that the interrupt is let through by OUT2, as on every
	// serial card of a PC.
	OUT2Gate bool
	// Paced has bytes take their time on the line.
	Paced bool
}

// fifo holds bytes and what was wrong with each.
type fifo struct {
	data, errs [fifoSize]uint8
	n          int
}

func (f *fifo) push(b, errs uint8) {
	f.data[f.n], f.errs[f.n] = b, errs
	f.n++
}

func (f *fifo) pop() uint8 {
	b := f.data[0]
	copy(f.data[:], f.data[1:f.n])
	copy(f.errs[:], f.errs[1:f.n])
	f.n--
	f.data[f.n], f.errs[f.n] = 0, 0
	return b
}

func (f *fifo) bad() bool {
	for _, e := range f.errs[:f.n] {
		if e != 0 {
			return true
		}
	}
	return false
}

func (f *fifo) state(s *snap.Section) {
	s.Version(1)
	s.Bytes("data", f.data[:])
	s.Bytes("errs", f.errs[:])
	s.Int("n", &f.n, 0, fifoSize)
	if s.Loading() && s.Err() != nil {
		f.n = 0
	}
}

// UART is a 16550A.
type UART struct {
	c       Config
	serial  chardev.SerialPort // of Config.Port, if it has lines
	txTimer *vclock.Timer
	rxTimer *vclock.Timer
	msTimer *vclock.Timer

	rbr      uint8 // the last byte read
	ier, fcr uint8
	lcr, mcr uint8
	lsr      uint8 // OE and the errors of the byte at the top
	msr      uint8
	scr      uint8
	dl       uint16

	rx, tx fifo
	// The THRE interrupt waits to be served: set when the transmitter
	// empties, cleared by IIR or a write to THR (Table IV).
	threInt   bool
	timeout   bool  // the character timeout interrupt waits
	timeoutAt int64 // when it comes, 0 = not
	sentAt    int64 // Paced: when the byte on the line has left, 0 = none

	held bool // the port has no room and has promised to say when it has

	out [1]byte // what is on its way to the port
}

// New returns a UART and attaches it to its port.
func New(c Config) *UART {
	if c.Clock16 == 0 {
		c.Clock16 = 115200
	}
	if c.Stride == 0 {
		c.Stride = 1
	}
	u := &UART{c: c}
	u.serial, _ = c.Port.(chardev.SerialPort)
	u.txTimer = c.Env.Clock.NewTimer(u.Settle)
	u.rxTimer = c.Env.Clock.NewTimer(u.Settle)
	u.msTimer = c.Env.Clock.NewTimer(u.Settle)
	u.Reset()
	if c.Port != nil {
		c.Port.Attach(u)
	}
	return u
}

// Reset implements dev.Device: master reset, Table I. It leaves the divisor,
// and what the receiver holds, alone on the chip; here they are cleared.
func (u *UART) Reset() {
	*u = UART{c: u.c, serial: u.serial, txTimer: u.txTimer, rxTimer: u.rxTimer, msTimer: u.msTimer, dl: 12, held: u.held}
	u.msr = u.wires()
	u.txTimer.Stop()
	u.rxTimer.Stop()
	u.msTimer.Stop()
}

// Region returns the registers (eight ports of a PC).
func (u *UART) Region() *mem.Region { return mem.NewIO("serial", 8*u.c.Stride, u).Sizes(1, 1) }

func (u *UART) fifos() bool { return u.fcr&fcrEnable != 0 }

// size returns how many bytes the receiver or the transmitter holds.
func (u *UART) size() int {
	if u.fifos() {
		return fifoSize
	}
	return 1
}

// trigger returns the level of the receive FIFO that interrupts.
func (u *UART) trigger() int {
	if !u.fifos() {
		return 1
	}
	return [4]int{1, 4, 8, 14}[u.fcr>>6]
}

// halfBits returns the length of a character on the line.
func (u *UART) halfBits() int64 {
	n := int64(2 * (1 + 5 + int(u.lcr&3) + 1))
	if u.lcr&lcrSTB != 0 {
		n += 2
		if u.lcr&3 == 0 {
			n-- // one and a half
		}
	}
	if u.lcr&lcrPEN != 0 {
		n += 2
	}
	return n
}

// charTime returns how long a character takes.
func (u *UART) charTime() int64 {
	return u.halfBits() * vclock.Second * int64(max(u.dl, 1)) / (2 * int64(u.c.Clock16))
}

// Room implements chardev.Receiver. In loop-back mode the line is cut off.
func (u *UART) Room() int {
	if u.mcr&mcrLoop != 0 {
		return 0
	}
	return max(0, u.size()-u.rx.n)
}

// Receive implements chardev.Receiver.
func (u *UART) Receive(p []byte) {
	for _, b := range p {
		u.receive(b, 0)
	}
	u.Settle()
}

// Event implements chardev.EventReceiver.
func (u *UART) Event(e chardev.Event) {
	if e == chardev.Break && u.mcr&mcrLoop == 0 {
		u.receive(0, lsrBI|lsrFE)
	}
	u.Settle()
}

// receive takes a character from the line.
func (u *UART) receive(b, errs uint8) {
	if u.rx.n >= u.size() {
		// §8.4: the FIFO keeps what it has; without it the new byte takes
		// the place of the old one.
		u.lsr |= lsrOE
		if u.fifos() {
			return
		}
		u.rx.pop()
	}
	u.rx.push(b, errs)
	if u.rx.n == 1 {
		u.lsr |= errs
	}
	u.touchTimeout()
}

// touchTimeout starts the character timeout anew: four characters' time
// without one coming or being read (§8.6).
func (u *UART) touchTimeout() {
	u.timeout, u.timeoutAt = false, 0
	if u.fifos() && u.rx.n > 0 {
		u.timeoutAt = u.c.Env.Clock.Now() + 4*u.charTime()
	}
}

// Read implements mem.MMIO.
func (u *UART) Read(off uint64, _ int) uint64 {
	v := u.read(off / u.c.Stride & 7)
	u.Settle()
	return uint64(v)
}

func (u *UART) read(reg uint64) uint8 {
	dlab := u.lcr&lcrDLAB != 0
	switch reg {
	case regRBR:
		if dlab {
			return uint8(u.dl)
		}
		return u.readRBR()
	case regIER:
		if dlab {
			return uint8(u.dl >> 8)
		}
		return u.ier
	case regIIR:
		v := u.iir()
		if v&15 == iirTHRE {
			u.threInt = false
		}
		return v
	case regLCR:
		return u.lcr
	case regMCR:
		return u.mcr
	case regLSR:
		v := u.lineStatus()
		u.lsr &^= lsrErrs
		if u.rx.n > 0 {
			u.rx.errs[0] = 0
		}
		return v
	case regMSR:
		u.pollModem()
		v := u.msr
		u.msr &= 0xf0
		return v
	}
	return u.scr
}

func (u *UART) readRBR() uint8 {
	if u.rx.n == 0 {
		return u.rbr
	}
	u.rbr = u.rx.pop()
	if u.rx.n > 0 {
		u.lsr |= u.rx.errs[0] & lsrOfone
	}
	u.touchTimeout()
	u.wake()
	return u.rbr
}

// wake tells the port that there may be room.
func (u *UART) wake() {
	if w, ok := u.c.Port.(chardev.Waker); ok && u.Room() > 0 {
		w.Wake()
	}
}

func (u *UART) lineStatus() uint8 {
	v := u.lsr
	if u.rx.n > 0 {
		v |= lsrDR
	}
	if u.tx.n == 0 {
		v |= lsrTHRE
		if u.sentAt == 0 {
			v |= lsrTEMT
		}
	}
	if u.fifos() && u.rx.bad() {
		v |= lsrFIFO
	}
	return v
}

// iir returns the interrupt of highest priority, Table IV.
func (u *UART) iir() uint8 {
	v := uint8(0)
	if u.fifos() {
		v = iirFIFO
	}
	switch {
	case u.ier&ierELSI != 0 && u.lsr&lsrErrs != 0:
		return v | iirLine
	case u.ier&ierERBFI != 0 && u.rx.n >= u.trigger():
		return v | iirData
	case u.ier&ierERBFI != 0 && u.timeout:
		return v | iirTimeout
	case u.ier&ierETBEI != 0 && u.threInt:
		return v | iirTHRE
	case u.ier&ierEDSSI != 0 && u.msr&15 != 0:
		return v | iirModem
	}
	return v | iirNone
}

// Write implements mem.MMIO.
func (u *UART) Write(off uint64, _ int, v uint64) {
	u.write(off/u.c.Stride&7, uint8(v))
	u.Settle()
}

func (u *UART) write(reg uint64, v uint8) {
	dlab := u.lcr&lcrDLAB != 0
	switch reg {
	case regRBR:
		if dlab {
			u.dl = u.dl&0xff00 | uint16(v)
			u.setParams()
			return
		}
		u.writeTHR(v)
		u.drive() // the interrupt goes before it comes again
	case regIER:
		if dlab {
			u.dl = u.dl&0xff | uint16(v)<<8
			u.setParams()
			return
		}
		// An empty transmitter interrupts when it is allowed to.
		if v&ierETBEI != 0 && u.ier&ierETBEI == 0 && u.tx.n == 0 {
			u.threInt = true
		}
		u.ier = v & 15
		if u.ier&ierEDSSI != 0 {
			u.pollModem()
		}
	case regIIR:
		u.writeFCR(v)
	case regLCR:
		old := u.lcr
		u.lcr = v
		if (old^v)&^lcrDLAB != 0 {
			u.setParams()
		}
		if (old^v)&lcrBreak != 0 && u.serial != nil {
			u.serial.SetBreak(v&lcrBreak != 0)
		}
		u.wake() // a reset made room without saying so; every driver comes by here
	case regMCR:
		u.writeMCR(v & 0x1f)
	case regSCR:
		u.scr = v
	default:
		u.c.Env.Log.Guest("uart16550: write of %#x to read-only register %d", v, reg)
	}
}

func (u *UART) writeFCR(v uint8) {
	if (u.fcr^v)&fcrEnable != 0 {
		v |= fcrResetRx | fcrResetTx // a change of the enable clears both
	} else if v&fcrEnable == 0 {
		return // the others are not programmed while bit 0 is 0
	}
	if v&fcrResetRx != 0 {
		u.rx = fifo{}
		u.lsr &^= lsrOfone
		u.timeout, u.timeoutAt = false, 0
	}
	if v&fcrResetTx != 0 {
		if u.tx.n > 0 {
			u.threInt = true
		}
		u.tx = fifo{}
	}
	if u.fcr = v &^ (fcrResetRx | fcrResetTx | fcrDMA); v&fcrEnable == 0 {
		u.fcr = 0
	}
	if v&fcrResetRx != 0 {
		u.wake()
	}
}

func (u *UART) writeMCR(v uint8) {
	left := u.mcr&mcrLoop != 0 && v&mcrLoop == 0
	u.mcr = v
	u.pollModem()
	if u.serial != nil {
		var m chardev.Modem
		if v&mcrLoop == 0 && v&mcrDTR != 0 {
			m |= chardev.DTR
		}
		if v&mcrLoop == 0 && v&mcrRTS != 0 {
			m |= chardev.RTS
		}
		u.serial.SetModem(m)
	}
	if left {
		u.wake()
	}
}

// wires returns the modem inputs as bits of MSR. A port without wires has
// its peer always ready.
func (u *UART) wires() uint8 {
	if u.mcr&mcrLoop != 0 { // §8.8: looped back
		return u.mcr&mcrDTR<<5 | u.mcr&mcrRTS<<3 | u.mcr&mcrOUT1<<4 | u.mcr&mcrOUT2<<4
	}
	switch {
	case u.serial != nil:
		m := u.serial.Modem()
		v := uint8(0)
		for _, w := range [...]struct {
			m chardev.Modem
			b uint8
		}{{chardev.CTS, msrCTS}, {chardev.DSR, msrDSR}, {chardev.RI, msrRI}, {chardev.DCD, msrDCD}} {
			if m&w.m != 0 {
				v |= w.b
			}
		}
		return v
	case u.c.Port != nil:
		return msrCTS | msrDSR | msrDCD
	}
	return 0
}

// pollModem notes changes of the modem inputs.
func (u *UART) pollModem() {
	now := u.wires()
	changed := (u.msr ^ now) & 0xf0
	delta := changed >> 4 & (msrDCTS | msrDDSR | msrDDCD)
	if changed&msrRI != 0 && now&msrRI == 0 {
		delta |= msrTERI // the trailing edge only
	}
	u.msr = now | u.msr&15 | delta
}
