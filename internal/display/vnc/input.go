package vnc

import (
	"rhea/internal/display"
	"rhea/internal/keys"
)

// input is what a client holds down.
type input struct {
	down    [256]bool
	buttons uint8
	x, y    int
	moved   bool // x and y are known
}

// release lets go of all when a client is gone.
func (in *input) release(to display.Controls) {
	for code, down := range in.down {
		if down {
			to.KeySymbol(keys.Code(code), 0, false)
		}
	}
	if in.buttons != 0 {
		to.SetButtons(0)
	}
}

// key presses or releases a key, which has a symbol to the client, or 0.
func (c *client) key(k keys.Code, sym uint32, down bool) {
	if !down && !c.in.down[k] {
		return
	}
	c.in.down[k] = down
	c.s.c.Input.Throttle()
	c.s.c.Input.KeySymbol(k, sym, down)
	c.s.c.Screen.Wake()
}

// symbol is a key of a client that does not say where it is on the keyboard.
func (c *client) symbol(sym uint32, down bool) {
	k, ok := c.s.c.Layout.Key(sym)
	if !ok {
		return
	}
	c.syncLocks(sym, down)
	c.key(k, sym, down)
}

// The lock keys and shift.
var (
	capsLock  = mustKey("caps_lock")
	numLock   = mustKey("num_lock")
	leftShift = mustKey("shift")
	rghtShift = mustKey("shift_r")
)

func mustKey(name string) keys.Code {
	k, ok := keys.ByName(name)
	if !ok {
		panic("BUG: no key " + name)
	}
	return k
}

// syncLocks presses Caps Lock or Num Lock where the symbol shows that the
// client's is not what the guest's is.
func (c *client) syncLocks(sym uint32, down bool) {
	if !down || c.s.c.KeepLocks {
		return
	}
	upper, lower := sym >= 'A' && sym <= 'Z', sym >= 'a' && sym <= 'z'
	digits, cursor := sym >= 0xffae && sym <= 0xffb9, sym >= 0xff95 && sym <= 0xff9f
	if !upper && !lower && !digits && !cursor {
		return
	}
	var leds uint8
	c.s.c.Do(func() { leds = c.s.c.Input.LEDs() })
	press := func(k keys.Code) {
		c.s.c.Input.KeySymbol(k, 0, true)
		c.s.c.Input.KeySymbol(k, 0, false)
	}
	shift := c.in.down[leftShift] || c.in.down[rghtShift]
	switch caps := leds&4 != 0; {
	case upper || lower:
		if upper == shift == caps {
			press(capsLock)
		}
	case !shift && digits != (leds&2 != 0):
		press(numLock)
	}
}

// buttonBits turns RFB's left, middle, right into the contract's.
func buttonBits(mask byte) uint8 {
	b := mask&1 | mask>>1&2 | mask<<1&4
	if mask&0x80 != 0 { // button 8 is what mice call the side
		b |= 8
	}
	return b
}

// pointer is a PointerEvent (RFC 6143, 7.5.5): places, unless the guest has a
// mouse and the client knows of that: then moves, around 7FFFh.
func (c *client) pointer(mask byte, x, y int) {
	to := c.s.c.Input
	wheel := 0
	for bit, dz := range map[byte]int{8: -1, 16: 1} {
		if mask&bit != 0 && c.in.buttons&bit == 0 {
			wheel += dz
		}
	}
	c.mu.Lock()
	relative := c.encs.pointerChange && !c.encs.absolute
	w, h := c.encs.w, c.encs.h
	absolute := c.encs.absolute
	c.mu.Unlock()
	dx, dy := 0, 0
	switch {
	case absolute:
		scale := func(v, n int) int { return min(v, max(n-1, 1)) * display.PointMax / max(n-1, 1) }
		to.Point(scale(x, w), scale(y, h))
	case relative:
		dx, dy = x-0x7fff, y-0x7fff
	case c.in.moved:
		dx, dy = x-c.in.x, y-c.in.y
	}
	c.in.x, c.in.y, c.in.moved = x, y, true
	if dx != 0 || dy != 0 || wheel != 0 {
		to.Move(dx, dy, wheel)
	}
	// The wheel's bits are not the contract's; they are kept to see them
	// come and go.
	to.SetButtons(buttonBits(mask))
	c.in.buttons = mask
	c.s.c.Screen.Wake()
}
