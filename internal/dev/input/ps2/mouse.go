package ps2

import (
	"rhea/internal/dev"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Commands of the mouse.
const (
	mouseScale11    = 0xe6
	mouseScale21    = 0xe7
	mouseResolution = 0xe8
	mouseStatus     = 0xe9
	mouseStream     = 0xea
	mouseRead       = 0xeb
	mouseUnwrap     = 0xec
	mouseWrap       = 0xee
	mouseRemote     = 0xf0
	mouseReadID     = 0xf2
	mouseRate       = 0xf3
	mouseEnable     = 0xf4
	mouseDisable    = 0xf5
	mouseDefault    = 0xf6
	mouseResend     = 0xfe
	mouseReset      = 0xff

	// mouseOS2 is sent by OS/2, for another kind of mouse; it is acknowledged.
	mouseOS2 = 0xbb
)

// Buttons of a mouse.
const (
	Left uint8 = 1 << iota
	Right
	Middle
	Side
	Extra
)

// The kinds of mouse, by their ID.
const (
	idStandard = 0
	idWheel    = 3
	idExplorer = 4
)

// maxMotion bounds what is counted and not yet sent.
const maxMotion = 1 << 15

// Mouse is a PS/2 mouse.
type Mouse struct {
	env   dev.Env
	timer *vclock.Timer
	port

	id         uint8
	rate       uint8
	resolution uint8
	scale21    bool
	enabled    bool
	remote     bool
	wrap       bool
	command    uint8
	knock      [3]uint8 // the last sample rates
	packet     [4]byte  // the last packet, for resend
	packetLen  int

	dx, dy, dz int
	buttons    uint8
	sent       uint8 // the buttons last reported
	nextAt     int64 // when the sample rate allows the next packet
}

// NewMouse returns a mouse.
func NewMouse(env dev.Env) *Mouse {
	m := &Mouse{env: env}
	m.timer = env.Clock.NewTimer(m.stream)
	m.Reset()
	return m
}

// Reset implements dev.Device.
func (m *Mouse) Reset() {
	m.port.reset()
	m.buttons = 0
	m.powerOn()
	m.timer.Stop()
}

// powerOn is what power and the reset command set.
func (m *Mouse) powerOn() {
	m.id, m.command, m.knock, m.wrap, m.remote = idStandard, 0, [3]uint8{}, false, false
	m.packet, m.packetLen, m.nextAt = [4]byte{}, 0, 0
	m.defaults()
	m.clear()
}

func (m *Mouse) defaults() {
	m.rate, m.resolution, m.scale21, m.enabled = 100, 2, false, false
}

// clear forgets what was counted and not sent.
func (m *Mouse) clear() {
	m.data = fifo{}
	m.dx, m.dy, m.dz, m.sent = 0, 0, 0, m.buttons
}

// Pending reports whether the mouse has a byte to send.
func (m *Mouse) Pending() bool { return m.port.pending() }

// Next takes the next byte it sends.
func (m *Mouse) Next() byte {
	b := m.port.next()
	m.stream()
	return b
}

// Move moves the mouse: dx to the right, dy down, dz wheel clicks down.
func (m *Mouse) Move(dx, dy, dz int) {
	clamp := func(v int) int { return min(max(v, -maxMotion), maxMotion) }
	m.dx = clamp(m.dx + clamp(dx))
	m.dy = clamp(m.dy - clamp(dy))
	m.dz = clamp(m.dz + clamp(dz))
	m.stream()
}

// SetButtons states which buttons are down.
func (m *Mouse) SetButtons(b uint8) {
	m.buttons = b & (Left | Right | Middle | Side | Extra)
	if m.streaming() && m.buttons != m.sent {
		m.nextAt = 0 // a click is not held back by the sample rate
	}
	m.stream()
}

func (m *Mouse) streaming() bool { return m.enabled && !m.remote && !m.wrap }

// changed reports whether there is something to tell.
func (m *Mouse) changed() bool {
	return m.dx|m.dy != 0 || m.dz != 0 && m.id != idStandard || m.buttons != m.sent
}

// stream sends a packet if one is due.
func (m *Mouse) stream() {
	if !m.streaming() || !m.changed() {
		return
	}
	if now := m.env.Clock.Now(); now < m.nextAt {
		m.timer.Set(m.nextAt)
		return
	}
	if m.data.room() < 4 {
		return // Next comes back to it
	}
	m.makePacket(m.scale21)
	m.data.push(m.packet[:m.packetLen]...)
	m.nextAt = m.env.Clock.Now() + vclock.Second/int64(max(m.rate, 1))
	if m.changed() {
		m.timer.Set(m.nextAt)
	}
	m.notify()
}

// makePacket builds a packet of what was counted.
func (m *Mouse) makePacket(scale bool) {
	take := func(v *int, lo, hi int) int {
		n := min(max(*v, lo), hi)
		*v -= n
		return n
	}
	var x, y int
	if scale {
		x, y = double(take(&m.dx, -127, 127)), double(take(&m.dy, -127, 127))
	} else {
		x, y = take(&m.dx, -255, 255), take(&m.dy, -255, 255)
	}
	b := 1<<3 | m.buttons&7
	if x < 0 {
		b |= 1 << 4
	}
	if y < 0 {
		b |= 1 << 5
	}
	m.packet = [4]byte{b, byte(x), byte(y)}
	m.packetLen = 3
	switch m.id {
	case idWheel:
		m.packet[3] = byte(take(&m.dz, -127, 127))
		m.packetLen = 4
	case idExplorer:
		m.packet[3] = byte(take(&m.dz, -7, 7))&15 | m.buttons>>3<<4
		m.packetLen = 4
	default:
		m.dz = 0
	}
	m.sent = m.buttons
}

// double is the 2:1 scaling of stream mode.
func double(n int) int {
	if n < 0 {
		return -double(-n)
	}
	if n < 6 {
		return [...]int{0, 1, 1, 3, 6, 9}[n]
	}
	return 2 * n
}

// Write sends the mouse a byte.
func (m *Mouse) Write(b byte) {
	defer m.notify()
	if m.wrap && b != mouseUnwrap && b != mouseReset {
		m.replies.push(b)
		return
	}
	if cmd := m.command; cmd != 0 {
		m.command = 0
		m.argument(cmd, b)
		return
	}
	m.data = fifo{} // a command ends what was being sent
	if b == mouseResend {
		m.replies.push(m.packet[:m.packetLen]...)
		return
	}
	m.do(b)
}

// do carries a command out.
func (m *Mouse) do(b byte) {
	m.replies.push(rspACK)
	switch b {
	case mouseScale11, mouseScale21:
		m.scale21 = b == mouseScale21
	case mouseResolution, mouseRate:
		m.command = b
	case mouseStatus:
		m.replies.push(m.status(), m.resolution, m.rate)
	case mouseStream, mouseRemote:
		m.remote = b == mouseRemote
		m.clear()
	case mouseRead:
		m.makePacket(false)
		m.replies.push(m.packet[:m.packetLen]...)
	case mouseUnwrap, mouseWrap:
		m.wrap = b == mouseWrap
		m.clear()
	case mouseReadID:
		m.replies.push(m.id)
	case mouseEnable, mouseDisable:
		m.enabled = b == mouseEnable
		m.clear()
	case mouseDefault:
		m.defaults()
		m.clear()
	case mouseReset:
		m.powerOn()
		m.replies.push(rspBAT, idStandard)
	case mouseOS2:
	default:
		m.env.Log.Guest("ps2 mouse: unknown command %#x", b)
		m.replies.buf[max(m.replies.n-1, 0)] = rspResend
	}
}

// status returns the first byte of the status report.
func (m *Mouse) status() uint8 {
	v := m.buttons&Left<<2 | m.buttons&Middle>>1 | m.buttons&Right>>1
	if m.scale21 {
		v |= 1 << 4
	}
	if m.enabled {
		v |= 1 << 5
	}
	if m.remote {
		v |= 1 << 6
	}
	return v
}

// argument takes the byte after a command.
func (m *Mouse) argument(cmd, b byte) {
	switch {
	case cmd == mouseResolution && b < 4:
		m.resolution = b
	case cmd == mouseRate && b > 0 && b <= 200:
		m.rate = b
		m.knock = [3]uint8{m.knock[1], m.knock[2], b}
		switch m.knock { // how a driver asks for the other protocols
		case [3]uint8{200, 100, 80}:
			m.id = idWheel
		case [3]uint8{200, 200, 80}:
			m.id = idExplorer
		}
	default:
		m.env.Log.Guest("ps2 mouse: argument %#x of command %#x", b, cmd)
		m.replies.push(rspResend)
		return
	}
	m.replies.push(rspACK)
}

// State implements dev.Device.
func (m *Mouse) State(s *snap.Section) {
	s.Version(1)
	m.port.state(s)
	s.U8("id", &m.id)
	s.U8("rate", &m.rate)
	s.U8("resolution", &m.resolution)
	s.Bool("scale21", &m.scale21)
	s.Bool("enabled", &m.enabled)
	s.Bool("remote", &m.remote)
	s.Bool("wrap", &m.wrap)
	s.U8("command", &m.command)
	s.Bytes("knock", m.knock[:])
	s.Bytes("packet", m.packet[:])
	s.Int("packet_len", &m.packetLen, 0, len(m.packet))
	motion := func(name string, p *int) {
		v := *p + maxMotion
		s.Int(name, &v, 0, 2*maxMotion)
		if s.Loading() && s.Err() == nil {
			*p = v - maxMotion
		}
	}
	motion("dx", &m.dx)
	motion("dy", &m.dy)
	motion("dz", &m.dz)
	s.U8("buttons", &m.buttons)
	s.U8("sent", &m.sent)
	s.I64("next_at", &m.nextAt)
	s.Check(m.nextAt >= 0 && m.nextAt <= 1<<60, "next_at is out of range")
	if s.Loading() {
		if s.Err() != nil {
			m.packetLen, m.nextAt = 0, 0
			return
		}
		m.timer.Stop()
		if m.streaming() && m.changed() {
			m.timer.Set(max(m.nextAt, m.env.Clock.Now()))
		}
	}
}
