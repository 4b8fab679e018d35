package uart16550

import (
	"bytes"
	"testing"

	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

// port is the host's side: it keeps what it is sent and holds input until
// there is room.
type port struct {
	sent  bytes.Buffer
	input []byte
	r     chardev.Receiver
	room  int
	// waiting is what is to be called when there is room.
	waiting []func()
}

func (p *port) Write(b []byte) (int, error) {
	if p.sent.Len() > 1<<16 {
		p.sent.Reset()
	}
	return p.sent.Write(b)
}
func (p *port) Attach(r chardev.Receiver) { p.r = r }
func (p *port) Room() int                 { return p.room }
func (p *port) WhenRoom(f func())         { p.waiting = append(p.waiting, f) }
func (p *port) Wake() {
	for len(p.input) > 0 && p.r.Room() > 0 {
		n := min(len(p.input), p.r.Room())
		in := p.input[:n]
		p.input = p.input[n:]
		p.r.Receive(in)
	}
}

// line is a port with wires.
type line struct {
	port
	in, out chardev.Modem
	baud    int
	format  string
	brk     bool
}

func (l *line) SetParams(baud, data, stop int, parity byte) {
	l.baud, l.format = baud, string([]byte{'0' + byte(data), parity, '0' + byte(stop)})
}
func (l *line) SetModem(m chardev.Modem) { l.out = m }
func (l *line) Modem() chardev.Modem     { return l.in }
func (l *line) SetBreak(on bool)         { l.brk = on }

func builder(p chardev.Port, paced bool) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		u := New(Config{Env: b.Env(), Port: p, IRQ: b.Out("irq"), OUT2Gate: true, Paced: paced})
		b.Map(0, u.Region())
		b.MMIO(8, u)
		b.Verb("rx", func(a []uint64) uint64 { // bytes that force their way in
			for _, v := range a {
				u.Receive([]byte{byte(v)})
			}
			return 0
		})
		b.Verb("break", func([]uint64) uint64 { u.Event(chardev.Break); return 0 })
		b.Verb("room", func([]uint64) uint64 { return uint64(u.Room()) })
		return u
	}
}

// build is a fresh port each time.
func build(b *devtest.Bench) dev.Device {
	p := &port{room: 1}
	d := builder(p, false)(b)
	b.Verb("sent", func([]uint64) uint64 { // length<<8 | last byte
		v := uint64(p.sent.Len()) << 8
		if n := p.sent.Len(); n > 0 {
			v |= uint64(p.sent.Bytes()[n-1])
		}
		p.sent.Reset()
		return v
	})
	b.Verb("type", func(a []uint64) uint64 {
		for _, v := range a {
			p.input = append(p.input, byte(v))
		}
		p.input = p.input[:min(len(p.input), 100)]
		p.Wake()
		return 0
	})
	return d
}

func buildPaced(b *devtest.Bench) dev.Device { return builder(&port{room: 1}, true)(b) }

// conforming is build without the input that waits outside of the UART.
func conforming(b *devtest.Bench) dev.Device { return builder(&port{room: 1}, false)(b) }

func TestConform(t *testing.T)      { devtest.Conform(t, conforming) }
func TestConformPaced(t *testing.T) { devtest.Conform(t, buildPaced) }
func FuzzUART(f *testing.F)         { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"reset values": `r1 1 = 0 / r1 2 = 1 / r1 3 = 0 / r1 4 = 0 / r1 5 = 0x60 / r1 6 = 0xb0 / w1 7 0x5a / r1 7 = 0x5a`,
		"divisor":      `w1 3 0x83 / r1 0 = 12 / r1 1 = 0 / w1 0 0x34 / w1 1 0x12 / r1 0 = 0x34 / r1 1 = 0x12 / w1 3 3 / w1 1 5 / r1 1 = 5`,
		"send":         `w1 3 3 / w1 0 0x41 / r1 5 = 0x60 / sent = 0x141 / out irq = 0`,
		"THRE interrupt": `
			w1 4 8 / w1 1 2 / out irq = 1 / r1 2 = 2 / out irq = 0 / r1 2 = 1
			w1 0 0x41 / edges irq = 2 / w1 0 0x42 / edges irq = 1 / out irq = 1 / r1 2 = 2 / r1 2 = 1 / w1 1 0 / w1 1 2 / r1 2 = 2`,
		"OUT2 gates": `w1 1 2 / out irq = 0 / w1 4 8 / out irq = 1 / w1 4 0 / out irq = 0`,
		"receive, no FIFO": `
			w1 4 8 / w1 1 1 / room = 1 / type 0x41 0x42 / room = 0 / out irq = 1 / r1 2 = 4 / r1 5 = 0x61
			r1 0 = 0x41 / r1 0 = 0x42 / out irq = 0 / r1 5 = 0x60 / r1 0 = 0x42
			rx 1 2 / r1 5 = 0x63 / r1 5 = 0x61 / r1 0 = 2`,
		"FIFO trigger and timeout": `
			w1 3 0x83 / w1 0 1 / w1 1 0 / w1 3 3 / w1 4 8 / w1 1 1 / w1 2 0x41 / r1 2 = 0xc1 / room = 16
			type 1 2 3 / out irq = 0 / r1 5 = 0x61 / t 347us / out irq = 0 / t 1us / out irq = 1 / r1 2 = 0xcc
			r1 0 = 1 / out irq = 0 / r1 2 = 0xc1 / type 4 5 / out irq = 1 / r1 2 = 0xc4
			r1 0 = 2 / r1 2 = 0xc1 / t 1ms / r1 2 = 0xcc / w1 2 0x43 / r1 2 = 0xc1 / r1 5 = 0x60`,
		"FIFO levels": `
			w1 4 8 / w1 1 1 / w1 2 0xc1 / type 1 2 3 4 5 6 7 8 9 10 11 12 13 / out irq = 0 / type 14 / out irq = 1
			w1 2 0x81 / type 1 / r1 0 = 1 / r1 0 = 2 / r1 0 = 3 / r1 0 = 4 / r1 0 = 5 / r1 0 = 6 / r1 0 = 7 / out irq = 1 / r1 0 = 8 / out irq = 0`,
		"FIFO overrun keeps the old bytes": `
			w1 2 1 / w1 1 4 / w1 4 8 / rx 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 / r1 5 = 0x61 / rx 17 / out irq = 1 / r1 2 = 0xc6
			r1 5 = 0x63 / out irq = 0 / r1 0 = 1 / room = 1`,
		"break": `
			w1 2 1 / w1 1 4 / w1 4 8 / rx 1 / break / out irq = 0 / r1 5 = 0xe1 / r1 0 = 1 / out irq = 1 / r1 5 = 0xf9 / r1 5 = 0x61 / r1 0 = 0`,
		"loop-back": `
			w1 4 0x10 / r1 6 & 0xf0 = 0 / r1 6 = 0 / w1 4 0x1f / r1 6 = 0xfb / r1 6 = 0xf0 / w1 4 0x1b / r1 6 = 0xb4
			room = 0 / w1 0 0x55 / r1 5 = 0x61 / r1 0 = 0x55 / sent = 0`,
		"modem interrupt": `w1 4 8 / r1 6 = 0xb0 / w1 1 8 / w1 4 0x18 / out irq = 1 / r1 2 = 0 / r1 6 = 0x83 / out irq = 0`,
		"interrupt priority": `
			w1 4 8 / w1 1 15 / rx 1 / rx 2 / w1 0 1 / r1 2 = 6 / r1 5 & 2 = 2 / r1 2 = 4 / r1 0 = 2 / r1 2 = 2 / r1 2 = 1`,
		"FCR": `w1 2 0xc0 / r1 2 = 1 / w1 2 0xc1 / r1 2 = 0xc1 / rx 1 / w1 2 0 / r1 5 = 0x60 / r1 2 = 1`,
		"input that waited over a reset": `
			type 1 2 3 / reset / r1 5 = 0x60 / w1 3 3 / r1 5 = 0x61 / r1 0 = 2 / r1 0 = 3`,
		"read-only": `w1 5 0 / log = "read-only" / w1 6 0 / log = "read-only"`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
}

func TestPaced(t *testing.T) {
	p := &port{room: 1}
	b := devtest.New(builder(p, true), 0)
	b.Script(t, `w1 3 0x83 / w1 0 1 / w1 1 0 / w1 3 3 / w1 4 8 / w1 1 2 / r1 2 = 2
		w1 2 1 / w1 0 1 / r1 2 = 0xc2 / r1 5 = 0x20 / w1 0 2 / w1 0 3 / r1 5 = 0 / r1 2 = 0xc1
		t 86us / r1 5 = 0 / t 1us / r1 5 = 0 / t 87us / r1 5 = 0x20 / out irq = 1 / t 87us / r1 5 = 0x60`)
	if got := p.sent.String(); got != "\x01\x02\x03" {
		t.Errorf("sent %q", got)
	}
}

// A port without room holds the transmitter up; nothing is lost.
func TestThrottle(t *testing.T) {
	p := &port{}
	var u dev.Device
	b := devtest.New(func(b *devtest.Bench) dev.Device { u = builder(p, false)(b); return u }, 0)
	b.Script(t, `w1 1 2 / r1 2 = 2 / w1 2 1 / w1 4 8 / w1 0 1 / w1 0 2 / r1 5 = 0 / t 5ms / r1 5 = 0 / out irq = 0`)
	if len(p.waiting) != 1 {
		t.Fatalf("%d callbacks wait for room", len(p.waiting))
	}
	p.room = 1
	p.waiting[0]()
	b.Script(t, `r1 5 = 0x60 / out irq = 1`)
	if got := p.sent.String(); got != "\x01\x02" {
		t.Errorf("sent %q", got)
	}
	// Again, and a reset while it waits.
	p.room, p.waiting = 0, nil
	b.Script(t, `w1 0 3 / r1 5 = 0`)
	u.Reset()
	b.Script(t, `w1 0 4 / r1 5 = 0`)
	p.room = 1
	if len(p.waiting) != 1 {
		t.Fatalf("%d callbacks wait for room", len(p.waiting))
	}
	p.waiting[0]()
	b.Script(t, `r1 5 = 0x60`)
	if got := p.sent.String(); got != "\x01\x02\x04" {
		t.Errorf("sent %q", got)
	}
}

func TestSerialLine(t *testing.T) {
	l := &line{}
	l.room = 1
	b := devtest.New(builder(l, false), 0)
	b.Script(t, `w1 3 0x83 / w1 0 3 / w1 1 0 / w1 3 0x1e / w1 4 0x0b / r1 6 = 0`)
	if l.baud != 38400 || l.format != "7E2" || l.out != chardev.DTR|chardev.RTS {
		t.Error(l.baud, l.format, l.out)
	}
	l.in = chardev.CTS | chardev.DSR
	b.Script(t, `r1 6 = 0x33 / r1 6 = 0x30 / w1 1 8 / out irq = 0`)
	l.in |= chardev.RI
	b.Script(t, `t 10ms / out irq = 0`)
	l.in &^= chardev.RI
	b.Script(t, `t 10ms / out irq = 1 / r1 6 = 0x34 / w1 3 0x5e`)
	if !l.brk {
		t.Error("no break")
	}
}

func TestNoPort(t *testing.T) {
	devtest.Run(t, builder(nil, false), `w1 0 1 / r1 5 = 0x60 / r1 6 = 0`)
}

func BenchmarkWrite(b *testing.B) {
	u := builder(&port{room: 1}, false)
	bench := devtest.New(u, 0)
	b.ReportAllocs()
	for b.Loop() {
		bench.Space.Write(0, 1, 'x')
	}
}
