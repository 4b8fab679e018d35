package lapic

// Delivery modes, in ICR, LVT, redirection entries and messages alike.
const (
	Fixed   = 0
	Lowest  = 1
	SMI     = 2
	NMI     = 4
	INIT    = 5
	StartUp = 6
	ExtINT  = 7
)

// Message is an interrupt on its way to the local APICs.
type Message struct {
	Dest    uint32
	Wide    bool // Dest has 32 bits, as x2APICs send it
	Logical bool // destination mode
	Mode    uint8
	Vector  uint8
	Level   bool // trigger mode
}

// broadcast returns whether the message is for all.
func (m *Message) broadcast() bool { return m.Dest == 0xff && !m.Wide || m.Dest == 0xffffffff }

// Bus connects local APICs, I/O APICs and those who send messages (MSI).
type Bus struct {
	apics []*APIC
	eoi   []func(vector uint8)
	ready []func()
}

// NewBus returns a bus.
func NewBus() *Bus { return &Bus{} }

// OnEOI has f called at the end of each level-triggered interrupt (an I/O
// APIC takes it for the EOI broadcast).
func (b *Bus) OnEOI(f func(vector uint8)) { b.eoi = append(b.eoi, f) }

// OnReady has f called when messages that nobody took may find a taker.
func (b *Bus) OnReady(f func()) { b.ready = append(b.ready, f) }

func (b *Bus) retry() {
	for _, f := range b.ready {
		f()
	}
}

func (b *Bus) endOfInterrupt(vector uint8) {
	for _, f := range b.eoi {
		f(vector)
	}
}

// Deliver brings a message to whom it is for, and reports whether anybody
// took it.
func (b *Bus) Deliver(m Message) bool { return b.deliver(m, nil, nil) }

// deliver is Deliver; if only is not nil it is for that one, except is left out.
func (b *Bus) deliver(m Message, only, except *APIC) bool {
	var best *APIC
	taken := false
	for _, a := range b.apics {
		if a == except || only != nil && a != only || only == nil && !a.matches(m) {
			continue
		}
		if m.Mode != Lowest {
			taken = a.take(m) || taken
			continue
		}
		// Lowest priority (SDM 3A §10.6.2.4): the focus processor, else the
		// one of lowest arbitration priority.
		if !a.accepts() {
			continue
		}
		if a.irr.has(m.Vector) || a.isr.has(m.Vector) {
			best = a
			break
		}
		if best == nil || a.apr() < best.apr() {
			best = a
		}
	}
	if best != nil {
		m.Mode = Fixed
		return best.take(m)
	}
	return taken
}

// MSI delivers a message-signalled interrupt: a write of data to an address
// FEExxxxxh (SDM 3A §10.11). The redirection hint adds nothing to the delivery
// mode; systems use the logical destination mode without it.
func (b *Bus) MSI(addr uint64, data uint32) bool {
	m := Message{
		Dest:    uint32(addr >> 12 & 0xff),
		Logical: addr&(1<<2) != 0,
		Mode:    uint8(data >> 8 & 7),
		Vector:  uint8(data),
		Level:   data&(1<<15) != 0,
	}
	if m.Level && data&(1<<14) == 0 {
		return true // deassert
	}
	return b.Deliver(m)
}

// matches reports whether m is for a (§10.6.2).
func (a *APIC) matches(m Message) bool {
	switch {
	case !a.enabled():
		return false
	case m.broadcast():
		return true
	case !m.Logical:
		return m.Dest == uint32(a.id)
	}
	if a.x2() {
		return m.Dest>>16 == a.ldr>>16 && m.Dest&a.ldr&0xffff != 0
	}
	ldr := a.ldr >> 24
	if a.dfr>>28 == 15 { // flat
		return ldr&m.Dest != 0
	}
	return (m.Dest>>4 == 15 || m.Dest>>4 == ldr>>4) && m.Dest&ldr&15 != 0
}
