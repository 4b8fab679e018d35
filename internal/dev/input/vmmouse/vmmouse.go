// Package vmmouse models VMware's backdoor as far as its mouse needs it: a
// pointer that knows places. The interface is that of open-vm-tools'
// backdoor_def.h and of the X.Org driver vmmouse: a read of port 5658h with a
// magic number in EAX and a command in CX, which answers in registers.
package vmmouse

import (
	"encoding/binary"

	"rhea/internal/dev"
	"rhea/internal/snap"
)

// Regs are the registers of a call.
type Regs struct{ EAX, EBX, ECX, EDX, ESI, EDI uint32 }

// Magic is what EAX holds.
const Magic = 0x564d5868

// Commands.
const (
	cmdVersion = 10
	cmdRAMSize = 20
	cmdData    = 39
	cmdStatus  = 40
	cmdCommand = 41

	commandReadID   = 0x45414552
	commandDisable  = 0x000000f5
	commandAbsolute = 0x53424152
	commandRelative = 0x4c455252

	version  = 6
	readID   = 0x3442554a
	noDevice = 0xffff0000 // status
)

// Buttons of a packet.
const (
	left   = 0x20
	right  = 0x10
	middle = 0x08
)

// maxWords bounds what the guest has not read: 64 packets of 4.
const maxWords = 256

// Config connects a mouse.
type Config struct {
	Env dev.Env
	// Nudge has the PS/2 mouse interrupt: its driver comes for our data then.
	Nudge func()
	RAM   uint64 // bytes, which the backdoor tells
}

// Mouse is the pointer and its port.
type Mouse struct {
	c        Config
	queue    [maxWords]uint32
	n        int
	enabled  bool
	absolute bool
	x, y     int // 0 to 7FFFh
	buttons  uint8
}

// New returns a mouse that the guest has not found.
func New(c Config) *Mouse { return &Mouse{c: c} }

// Reset implements dev.Device.
func (m *Mouse) Reset() { *m = Mouse{c: m.c} }

// State implements dev.Device.
func (m *Mouse) State(s *snap.Section) {
	s.Version(1)
	var b [4 * maxWords]byte
	for i, w := range m.queue {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
	s.Bytes("queue", b[:])
	if s.Loading() {
		for i := range m.queue {
			m.queue[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
	}
	s.Int("n", &m.n, 0, maxWords)
	s.Bool("enabled", &m.enabled)
	s.Bool("absolute", &m.absolute)
	s.Int("x", &m.x, 0, 0x7fff)
	s.Int("y", &m.y, 0, 0x7fff)
	s.U8("buttons", &m.buttons)
}

// Call is a read of the port. It reports false for what is no call: the port
// reads as it does without the backdoor.
func (m *Mouse) Call(r *Regs) bool {
	if r.EAX != Magic {
		return false
	}
	switch r.ECX & 0xffff {
	case cmdVersion:
		r.EAX, r.EBX, r.ECX = version, Magic, 2
	case cmdRAMSize:
		r.EAX, r.EBX = uint32(min(m.c.RAM, 1<<32-1)), 0x1177
	case cmdStatus:
		r.EAX = noDevice
		if m.enabled {
			r.EAX = uint32(m.n)
		}
	case cmdData:
		m.data(r)
	case cmdCommand:
		m.command(r.EBX)
	default:
		m.c.Env.Log.Guest("vmmouse: unknown command %d", r.ECX&0xffff)
		r.EAX = 0xffffffff
	}
	return true
}

// data takes EBX words from the queue.
func (m *Mouse) data(r *Regs) {
	n := int(r.EBX)
	if r.EBX == 0 || r.EBX > 6 || n > m.n {
		m.c.Env.Log.Guest("vmmouse: %d words were asked for and %d are there", r.EBX, m.n)
		m.n, r.EAX = 0, noDevice
		return
	}
	for i, to := range []*uint32{&r.EAX, &r.EBX, &r.ECX, &r.EDX, &r.ESI, &r.EDI}[:n] {
		*to = m.queue[i]
	}
	m.n = copy(m.queue[:], m.queue[n:m.n])
}

func (m *Mouse) command(c uint32) {
	switch c {
	case commandReadID:
		m.enabled, m.absolute, m.n = true, false, 0
		m.push(readID)
	case commandDisable:
		m.enabled, m.absolute, m.n = false, false, 0
	case commandAbsolute:
		m.absolute = m.enabled
	case commandRelative:
		m.absolute = false
	default:
		m.c.Env.Log.Guest("vmmouse: unknown pointer command %#x", c)
	}
}

func (m *Mouse) push(w ...uint32) {
	if m.n+len(w) <= maxWords {
		m.n += copy(m.queue[m.n:], w)
	}
}

// Absolute reports whether the guest wants places.
func (m *Mouse) Absolute() bool { return m.absolute }

// Point says where the pointer is, from 0 to 7FFFh.
func (m *Mouse) Point(x, y int) {
	m.x, m.y = min(max(x, 0), 0x7fff), min(max(y, 0), 0x7fff)
	m.report(0)
}

// Move turns the wheel; the rest is not for a pointer that knows places.
func (m *Mouse) Move(_, _, dz int) {
	if dz != 0 {
		m.report(min(max(dz, -127), 127))
	}
}

// SetButtons states which buttons are down: 1 left, 2 right, 4 middle.
func (m *Mouse) SetButtons(b uint8) {
	m.buttons = b
	m.report(0)
}

// report queues a packet: buttons, places from 0 to FFFFh, the wheel.
func (m *Mouse) report(dz int) {
	if !m.absolute {
		return
	}
	status := uint32(m.buttons&1)*left | uint32(m.buttons>>1&1)*right | uint32(m.buttons>>2&1)*middle
	m.push(status, uint32(m.x)<<1, uint32(m.y)<<1, uint32(int32(dz)))
	if m.c.Nudge != nil {
		m.c.Nudge()
	}
}
