// Package i8042 models the keyboard controller of the IBM PS/2 and its
// successors: an 8042 microcontroller with a keyboard and an auxiliary port,
// as the PS/2 Hardware Interface Technical Reference ("Keyboard and Auxiliary
// Device Controller") describes it.
package i8042

import (
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Status register (read of port 64h).
const (
	stOBF  = 1 << 0 // output buffer full
	stSYS  = 1 << 2
	stA2   = 1 << 3 // the last write was to the command port
	stINH  = 1 << 4 // 1 = the key lock is open
	stMOBF = 1 << 5 // the output buffer holds a byte of the auxiliary device
)

// Command byte.
const (
	cbIRQ1     = 1 << 0
	cbIRQ12    = 1 << 1
	cbSYS      = 1 << 2
	cbDisable  = 1 << 4
	cbDisable2 = 1 << 5
	cbXlate    = 1 << 6
)

// Output port.
const (
	opReset = 1 << 0 // 0 resets the system
	opA20   = 1 << 1
	opIRQ1  = 1 << 4
	opIRQ12 = 1 << 5
	opIdle  = 0xcc
)

// byteTime is how long after the system has read a byte the next one of a
// device is there. The serial line takes 1 ms; programs that read a byte
// twice (every interrupt 9 handler that was hooked) must find it twice.
const byteTime = 100_000

// Peripheral is what is plugged into one of the two ports.
type Peripheral interface {
	// Pending reports whether the device has a byte to send, Next takes it.
	Pending() bool
	Next() byte
	// Write sends it a byte.
	Write(byte)
	// Connect names who is told that Pending may have become true.
	Connect(ready func())
}

// Config connects a controller.
type Config struct {
	Env      dev.Env
	Keyboard Peripheral // nil = none
	Aux      Peripheral
	IRQ1     irq.Line
	IRQ12    irq.Line
	// A20 is the gate: high lets the CPU's address bit 20 through. It is high
	// after reset.
	A20 irq.Line
	// Reset is high while the output port resets the system.
	Reset irq.Line
}

// sources of the byte in the output buffer
const (
	fromController = iota
	fromKeyboard
	fromAux
)

// Controller is an 8042.
type Controller struct {
	c     Config
	timer *vclock.Timer

	out     uint8 // the output buffer, which keeps its last byte
	obf     bool
	source  int
	cmdByte uint8
	outPort uint8 // bits 0 and 1
	command uint8 // whose data byte comes next, 0 = none
	a2      bool
	brk     bool // the translation has seen F0h
	ram     [32]uint8

	reply    [4]uint8 // the controller's own bytes that wait
	replySrc [4]uint8
	replies  int

	readyAt int64 // when a device's next byte can be there
	taking  bool  // a device gives its byte just now
}

// New returns a controller and connects its devices.
func New(c Config) *Controller {
	k := &Controller{c: c}
	k.timer = c.Env.Clock.NewTimer(k.Settle)
	for _, p := range []Peripheral{c.Keyboard, c.Aux} {
		if p != nil {
			p.Connect(k.Settle)
		}
	}
	k.Reset()
	return k
}

// Reset implements dev.Device. The BIOS writes the command byte; until then
// both ports work and nothing interrupts.
func (k *Controller) Reset() {
	*k = Controller{c: k.c, timer: k.timer, outPort: opReset | opA20, cmdByte: cbXlate}
	k.timer.Stop()
}

// Ports returns the two registers of a PC: port 60h and port 64h.
func (k *Controller) Ports() (data, command *mem.Region) {
	port := func(name string, at uint64) *mem.Region {
		return mem.NewIO(name, 1, mem.Handlers{
			R: func(uint64, int) uint64 { return k.Read(at, 1) },
			W: func(_ uint64, _ int, v uint64) { k.Write(at, 1, v) },
		}).Sizes(1, 1)
	}
	return port("i8042 data", 0), port("i8042 command", 4)
}

// Read implements mem.MMIO: data at offset 0, status and command at 4.
func (k *Controller) Read(off uint64, _ int) uint64 {
	if off&4 != 0 {
		// A BIOS polls here and counts, it does not look at a clock: a byte
		// whose time has come must not wait for a busy host to run the timer.
		k.Settle()
		return uint64(k.status())
	}
	if !k.obf {
		return uint64(k.out) // the last byte again (EMM386 counts on it)
	}
	v := k.out
	if k.source != fromController {
		k.readyAt = k.c.Env.Clock.Now() + byteTime
	}
	k.obf = false
	k.drive() // the interrupt goes before the next byte raises it anew
	k.Settle()
	return uint64(v)
}

func (k *Controller) status() uint8 {
	v := uint8(stINH) | k.cmdByte&cbSYS
	if k.obf {
		v |= stOBF
		if k.source == fromAux {
			v |= stMOBF
		}
	}
	if k.a2 {
		v |= stA2
	}
	return v
}

// Write implements mem.MMIO.
func (k *Controller) Write(off uint64, _ int, v uint64) {
	if k.a2 = off&4 != 0; k.a2 {
		k.writeCommand(uint8(v))
	} else {
		k.writeData(uint8(v))
	}
	k.Settle()
}

// say queues a byte of the controller's own.
func (k *Controller) say(v uint8, source uint8) {
	if k.replies < len(k.reply) {
		k.reply[k.replies], k.replySrc[k.replies] = v, source
		k.replies++
	}
}

func (k *Controller) writeCommand(v uint8) {
	k.command = 0
	switch {
	case v >= 0x20 && v <= 0x3f: // read RAM, of which byte 0 is the command byte
		if v == 0x20 {
			k.say(k.cmdByte, fromController)
		} else {
			k.say(k.ram[v&31], fromController)
		}
		return
	case v >= 0x60 && v <= 0x7f: // write RAM
		k.command = v
		return
	case v >= 0xf0: // pulse output port bits 3..0
		if v&opReset == 0 {
			k.c.Reset.Pulse()
		}
		return
	}
	switch v {
	case 0xa4: // is there a password? no
		k.say(0xf1, fromController)
	case 0xa7:
		k.cmdByte |= cbDisable2
	case 0xa8:
		k.cmdByte &^= cbDisable2
	case 0xa9: // test the auxiliary port
		k.say(map0ff(k.c.Aux != nil), fromController)
	case 0xaa: // self-test
		k.cmdByte |= cbSYS
		k.say(0x55, fromController)
	case 0xab: // test the keyboard port
		k.say(map0ff(k.c.Keyboard != nil), fromController)
	case 0xad:
		k.cmdByte |= cbDisable
	case 0xae:
		k.cmdByte &^= cbDisable
	case 0xc0: // read the input port: key lock open
		k.say(0x80, fromController)
	case 0xd0: // read the output port
		k.say(k.outputPort(), fromController)
	case 0xd1, 0xd2, 0xd3, 0xd4: // write output port, keyboard or aux buffer, aux device
		k.command = v
	case 0xdd, 0xdf: // A20 off, on (a clone's)
		k.setOutPort(k.outPort&^opA20 | v&opA20)
	case 0xe0: // read test inputs: clock low, data low
		k.say(0, fromController)
	default:
		k.c.Env.Log.Guest("i8042: unknown command %#x", v)
	}
}

// map0ff is the result of a port's test: FFh is a general error.
func map0ff(ok bool) uint8 {
	if ok {
		return 0
	}
	return 0xff
}

func (k *Controller) writeData(v uint8) {
	cmd := k.command
	k.command = 0
	switch {
	case cmd == 0x60:
		k.cmdByte = v // no answer: Linux takes one for a spurious ACK
	case cmd > 0x60 && cmd <= 0x7f:
		k.ram[cmd&31] = v
	case cmd == 0xd1:
		k.setOutPort(v)
	case cmd == 0xd2:
		k.say(v, fromKeyboard)
	case cmd == 0xd3:
		k.say(v, fromAux)
	case cmd == 0xd4:
		k.cmdByte &^= cbDisable2
		k.send(k.c.Aux, v)
	default:
		// "The controller enables the keyboard interface" with a byte to it.
		k.cmdByte &^= cbDisable
		k.send(k.c.Keyboard, v)
	}
}

// send passes a byte to a device, whose answer takes its time.
func (k *Controller) send(p Peripheral, v uint8) {
	k.readyAt = max(k.readyAt, k.c.Env.Clock.Now()+byteTime)
	if p != nil {
		p.Write(v)
	} else {
		// Nobody takes the byte: the line times out, which is FEh.
		k.say(0xfe, fromController)
	}
}

func (k *Controller) setOutPort(v uint8) { k.outPort = v & (opReset | opA20) }

func (k *Controller) outputPort() uint8 {
	v := opIdle | k.outPort
	if k.obf && k.source == fromAux {
		v |= opIRQ12
	} else if k.obf {
		v |= opIRQ1
	}
	return v
}

// Settle implements dev.Settler: the next byte goes into the output buffer if
// that is empty, and the lines follow. A device that has more to send as soon as
// a byte is taken says so before that byte is in the buffer: it has to wait.
func (k *Controller) Settle() {
	if k.taking {
		return
	}
	k.load()
	k.drive()
}

func (k *Controller) drive() {
	k.c.A20.Set(k.outPort&opA20 != 0)
	k.c.Reset.Set(k.outPort&opReset == 0)
	k.c.IRQ1.Set(k.obf && k.source != fromAux && k.cmdByte&cbIRQ1 != 0)
	k.c.IRQ12.Set(k.obf && k.source == fromAux && k.cmdByte&cbIRQ12 != 0)
}

// load fills the output buffer. The controller's own bytes go first and at
// once.
func (k *Controller) load() {
	if k.obf {
		return
	}
	if k.replies > 0 {
		k.fill(k.reply[0], int(k.replySrc[0]))
		copy(k.reply[:], k.reply[1:])
		copy(k.replySrc[:], k.replySrc[1:])
		k.replies--
		k.reply[k.replies], k.replySrc[k.replies] = 0, 0
		return
	}
	for {
		keyboard := k.c.Keyboard != nil && k.cmdByte&cbDisable == 0 && k.c.Keyboard.Pending()
		aux := k.c.Aux != nil && k.cmdByte&cbDisable2 == 0 && k.c.Aux.Pending()
		if !keyboard && !aux {
			return
		}
		if k.c.Env.Clock.Now() < k.readyAt {
			k.timer.Set(k.readyAt)
			return
		}
		if !keyboard {
			k.fill(k.take(k.c.Aux), fromAux)
			return
		}
		v := k.take(k.c.Keyboard)
		if k.cmdByte&cbXlate != 0 {
			if v == 0xf0 { // of the break code that begins only the end is sent
				k.brk = true
				continue
			}
			v = translate[v]
			if k.brk {
				v |= 0x80
			}
		}
		k.brk = false
		k.fill(v, fromKeyboard)
		return
	}
}

// take takes a byte of a device.
func (k *Controller) take(p Peripheral) byte {
	k.taking = true
	v := p.Next()
	k.taking = false
	return v
}

func (k *Controller) fill(v uint8, source int) { k.out, k.obf, k.source = v, true, source }

// translate turns set 2 into set 1. What the table does not show (85h and
// above: answers to commands) is itself.
var translate = [256]uint8{
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	0x80, 0x81, 0x82, 0x41, 0x54, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
	0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
	0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
	0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
	0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
	0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,
	0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
}

// State implements dev.Device.
func (k *Controller) State(s *snap.Section) {
	s.Version(1)
	s.U8("out", &k.out)
	s.Bool("obf", &k.obf)
	s.Int("source", &k.source, 0, fromAux)
	s.U8("command_byte", &k.cmdByte)
	s.U8("output_port", &k.outPort)
	s.U8("command", &k.command)
	s.Bool("a2", &k.a2)
	s.Bool("break", &k.brk)
	s.Bytes("ram", k.ram[:])
	s.Bytes("reply", k.reply[:])
	s.Bytes("reply_source", k.replySrc[:])
	s.Int("replies", &k.replies, 0, len(k.reply))
	s.I64("ready_at", &k.readyAt)
	for _, v := range k.replySrc {
		s.Check(v <= fromAux, "reply_source is out of range")
	}
	s.Check(k.readyAt >= 0 && k.readyAt <= 1<<60, "ready_at is out of range")
}
