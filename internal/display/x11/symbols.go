package x11

import "github.com/jezek/xgb/xproto"

// symbols are the keysyms of the X server's keys, for text consoles (the X
// Window System Protocol, "Keyboards").
type symbols struct {
	first xproto.Keycode
	each  int
	list  []xproto.Keysym
}

// readSymbols asks for them. Without them consoles take the keys' places.
func (w *Window) readSymbols(setup *xproto.SetupInfo) {
	n := byte(setup.MaxKeycode - setup.MinKeycode + 1)
	r, err := xproto.GetKeyboardMapping(w.x, setup.MinKeycode, n).Reply()
	if err == nil {
		w.symbols = symbols{setup.MinKeycode, int(r.KeysymsPerKeycode), r.Keysyms}
	}
}

// of is the symbol of a key with modifiers; 0 = it has none.
func (s *symbols) of(code xproto.Keycode, state uint16) uint32 {
	at := func(column int) uint32 {
		i := (int(code)-int(s.first))*s.each + column
		if code < s.first || column >= s.each || i >= len(s.list) {
			return 0
		}
		return uint32(s.list[i])
	}
	group := 0
	if state&xproto.ModMask5 != 0 { // ISO_Level3_Shift, as all servers have it
		if group = 4; at(group) == 0 {
			group = 2
		}
	}
	low, high := at(group), at(group+1)
	if high == 0 {
		high = low
		if low >= 'a' && low <= 'z' {
			high -= 'a' - 'A'
		}
	}
	shift := state&xproto.ModMaskShift != 0
	letter := low >= 'a' && low <= 'z' || low >= 0xe0 && low < 0xff
	keypad := high >= 0xffaa && high <= 0xffb9
	if letter && state&xproto.ModMaskLock != 0 || keypad && state&xproto.ModMask2 != 0 {
		shift = !shift
	}
	if shift {
		return high
	}
	return low
}
