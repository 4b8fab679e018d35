package eeprom93c46

import "testing"

// master bit-bangs the part as drivers do.
type master struct{ e *EEPROM }

func (m master) clock(di bool) bool {
	m.e.Pins(true, false, di)
	m.e.Pins(true, true, di)
	do := m.e.DO()
	m.e.Pins(true, false, di)
	return do
}

func (m master) send(v, n int) {
	for n--; n >= 0; n-- {
		m.clock(v>>n&1 != 0)
	}
}

func (m master) command(v int) {
	m.e.Pins(false, false, false)
	m.e.Pins(true, false, false)
	m.send(v, 9)
}

func (m master) word() (v uint16) {
	for range 16 {
		v <<= 1
		if m.clock(false) {
			v |= 1
		}
	}
	return v
}

func (m master) read(addr int) uint16 {
	m.command(6<<6 | addr)
	return m.word()
}

func TestCommands(t *testing.T) {
	var w [Words]uint16
	for i := range w {
		w[i] = uint16(i)*0x123 ^ 0xa5a5
	}
	e := New(w)
	e.Reset()
	m := master{e}
	for _, a := range []int{0, 1, 63, 5} {
		if v := m.read(a); v != w[a] {
			t.Errorf("word %d is %#x, want %#x", a, v, w[a])
		}
	}
	m.read(3)
	if v := m.word(); v != w[4] {
		t.Errorf("the word behind: %#x, want %#x", v, w[4])
	}
	m.command(5<<6 | 7) // writes are not enabled
	m.send(0x1234, 16)
	if v := m.read(7); v != w[7] {
		t.Errorf("a write without EWEN gives %#x", v)
	}
	m.command(4<<6 | 0x30) // EWEN
	m.command(5<<6 | 7)
	m.send(0x1234, 16)
	if v := m.read(7); v != 0x1234 {
		t.Errorf("written %#x", v)
	}
	m.command(7<<6 | 7) // ERASE
	if v := m.read(7); v != 0xffff {
		t.Errorf("erased %#x", v)
	}
	m.command(4<<6 | 0x10) // WRAL
	m.send(0xbeef, 16)
	m.command(4 << 6) // EWDS
	m.command(4<<6 | 0x20)
	if v := m.read(9); v != 0xbeef {
		t.Errorf("after WRAL, EWDS and ERAL: %#x", v)
	}
}
