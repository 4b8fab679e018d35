package ps2

import (
	"rhea/internal/dev"
	"rhea/internal/keys"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Commands of the keyboard.
const (
	kbdSetLEDs     = 0xed
	kbdEcho        = 0xee
	kbdScanSet     = 0xf0
	kbdReadID      = 0xf2
	kbdRate        = 0xf3
	kbdEnable      = 0xf4
	kbdDisable     = 0xf5
	kbdDefault     = 0xf6
	kbdAllTypmatic = 0xf7
	kbdAllMB       = 0xf8
	kbdAllMake     = 0xf9
	kbdAllTMB      = 0xfa
	kbdKeyTypmatic = 0xfb
	kbdKeyMB       = 0xfc
	kbdKeyMake     = 0xfd
	kbdResend      = 0xfe
	kbdReset       = 0xff
)

// What a key of set 3 sends.
const (
	typeBreak   = 1 << 0
	typeTypmtic = 1 << 1
)

// KeyboardConfig connects a keyboard.
type KeyboardConfig struct {
	Env dev.Env
	// LEDs, if not nil, is told of the lamps: bit 0 scroll, 1 num, 2 caps lock.
	LEDs func(leds uint8)
}

// Keyboard is a 102-key keyboard. The key that was pressed last repeats as long
// as it is down (typematic); that it is pressed again and again by who sends
// it, whose own keyboard repeats, changes nothing.
type Keyboard struct {
	c     KeyboardConfig
	timer *vclock.Timer
	port

	set      uint8 // 1..3
	leds     uint8
	rate     uint8
	scanning bool
	overrun  bool  // keys were lost
	command  uint8 // whose argument comes next, 0 = none

	shift, ctrl, alt uint8 // which are down, a bit a side

	types [256]uint8 // by set 3 code

	down   [256]bool // keys
	repeat uint8     // the key that repeats, 0 = none
	nextAt int64     // when
}

// NewKeyboard returns a keyboard.
func NewKeyboard(c KeyboardConfig) *Keyboard {
	k := &Keyboard{c: c}
	k.timer = c.Env.Clock.NewTimer(k.typematic)
	k.Reset()
	return k
}

// Reset implements dev.Device. (The BAT code of power-on has been and gone.)
func (k *Keyboard) Reset() {
	k.port.reset()
	k.overrun, k.command = false, 0
	k.shift, k.ctrl, k.alt = 0, 0, 0
	k.down = [256]bool{}
	k.hold(0)
	k.setLEDs(0)
	k.defaults()
	k.scanning = true
}

func (k *Keyboard) defaults() {
	k.set, k.rate = 2, 0x2b // 10.9 a second after 500 ms
	// Set 3: what changes meaning has a break code, letters repeat, the rest
	// is make only.
	k.types = [256]uint8{}
	for _, c := range keys.All() {
		code := keys.Get(c).Set3
		switch {
		case code == 0x11 || code == 0x12 || code == 0x14 || code == 0x19 || code == 0x59:
			k.types[code] = typeBreak
		case code >= 0x0d && code <= 0x55 && code&7 != 7 || code >= 0x60 && code <= 0x66 || code == 0x6a:
			k.types[code] = typeTypmtic
		}
	}
}

func (k *Keyboard) setLEDs(v uint8) {
	k.leds = v
	k.Settle()
}

// Settle implements dev.Settler.
func (k *Keyboard) Settle() {
	if k.c.LEDs != nil {
		k.c.LEDs(k.leds)
	}
}

// LEDs returns the lamps, as KeyboardConfig tells.
func (k *Keyboard) LEDs() uint8 { return k.leds }

// Pending reports whether the keyboard has a byte to send.
func (k *Keyboard) Pending() bool { return k.port.pending() || k.overrun }

// Next takes the next byte it sends.
func (k *Keyboard) Next() byte {
	if !k.port.pending() && k.overrun {
		k.overrun = false
		if k.last = 0; k.set == 1 {
			k.last = 0xff
		}
		return k.last
	}
	return k.port.next()
}

// Key presses or releases a key.
func (k *Keyboard) Key(code keys.Code, down bool) {
	key := keys.Get(code)
	if k.down[code] && down {
		return
	}
	k.down[code] = down && k.scanning
	k.modifier(key.Name, down)
	switch {
	case down && k.scanning && code != keys.Pause:
		k.hold(uint8(code))
	case uint8(code) == k.repeat:
		k.hold(0)
	}
	k.send(code, down)
}

// hold has a key repeat, 0 none: after the delay that the typematic rate says
// (bits 6:5, in quarters of a second).
func (k *Keyboard) hold(code uint8) {
	k.repeat, k.nextAt = code, 0
	k.timer.Stop()
	if code != 0 {
		k.nextAt = k.c.Env.Clock.Now() + (int64(k.rate>>5)+1)*vclock.Second/4
		k.timer.Set(k.nextAt)
	}
}

// typematic repeats the key. Its period is (8 + bits 2:0) * 2^(bits 4:3) *
// 1/240 s (Keyboard, "Set Typematic Rate/Delay").
func (k *Keyboard) typematic() {
	if k.repeat == 0 {
		return
	}
	code := keys.Code(k.repeat)
	repeats := k.set != 3 || k.types[keys.Get(code).Set3]&typeTypmtic != 0
	if repeats && k.data.room() >= queueSize/2 { // nobody reads: nothing piles up
		k.send(code, true)
	}
	k.nextAt = k.c.Env.Clock.Now() + int64(8+k.rate&7)<<(k.rate>>3&3)*vclock.Second/240
	k.timer.Set(k.nextAt)
}

// send queues what a key sends.
func (k *Keyboard) send(code keys.Code, down bool) {
	key := keys.Get(code)
	if !k.scanning || key.Name == "" {
		return
	}
	var seq [8]byte
	s := k.sequence(seq[:0], code, key, down)
	if len(s) == 0 {
		return
	}
	if k.overrun || !k.data.push(s...) {
		k.overrun = true
	}
	k.notify()
}

// modifier notes what changes the codes of the print and pause keys.
func (k *Keyboard) modifier(name string, down bool) {
	set := func(v *uint8, bit uint8) {
		*v &^= bit
		if down {
			*v |= bit
		}
	}
	switch name {
	case "shift":
		set(&k.shift, 1)
	case "shift_r":
		set(&k.shift, 2)
	case "ctrl":
		set(&k.ctrl, 1)
	case "ctrl_r":
		set(&k.ctrl, 2)
	case "alt":
		set(&k.alt, 1)
	case "alt_r":
		set(&k.alt, 2)
	}
}

// sequence appends to s what the key sends.
func (k *Keyboard) sequence(s []byte, code keys.Code, key keys.Key, down bool) []byte {
	if k.set == 3 {
		switch {
		case key.Set3 == 0:
		case down:
			s = append(s, key.Set3)
		case k.types[key.Set3]&typeBreak != 0:
			s = append(s, 0xf0, key.Set3)
		}
		return s
	}
	switch code {
	case keys.Print:
		switch {
		case k.alt != 0:
			return k.plain(s, 0x54, 0x84, down) // SysRq
		case k.ctrl|k.shift != 0:
			return k.plain(s, key.Set1, key.Set2, down)
		case down:
			return k.plain(k.plain(s, 0xe02a, 0xe012, true), key.Set1, key.Set2, true)
		}
		return k.plain(k.plain(s, key.Set1, key.Set2, false), 0xe02a, 0xe012, false)
	case keys.Pause:
		switch { // all of it with the make
		case !down:
			return s
		case k.ctrl != 0:
			return k.plain(k.plain(s, key.Set1, key.Set2, true), key.Set1, key.Set2, false)
		case k.set == 1:
			return append(s, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5)
		}
		return append(s, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77)
	}
	return k.plain(s, key.Set1, key.Set2, down)
}

// plain appends a make or break code of set 1 or 2.
func (k *Keyboard) plain(s []byte, set1, set2 uint16, down bool) []byte {
	c := set2
	if k.set == 1 {
		c = set1
	}
	if c>>8 != 0 {
		s = append(s, byte(c>>8))
	}
	if !down && k.set == 1 {
		c |= 0x80
	} else if !down {
		s = append(s, 0xf0)
	}
	return append(s, byte(c))
}

// Write sends the keyboard a byte.
func (k *Keyboard) Write(b byte) {
	defer k.notify()
	if k.command != 0 && b < kbdSetLEDs {
		k.argument(b)
		return
	}
	k.command = 0
	reply := func(p ...byte) { k.replies.push(p...) }
	switch b {
	case kbdSetLEDs, kbdScanSet, kbdRate, kbdKeyTypmatic, kbdKeyMB, kbdKeyMake:
		k.command = b
		reply(rspACK)
	case kbdEcho:
		reply(kbdEcho)
	case kbdReadID:
		reply(rspACK, 0xab, 0x83)
	case kbdEnable:
		k.clear()
		k.scanning = true
		reply(rspACK)
	case kbdDisable, kbdDefault:
		k.clear()
		k.defaults()
		k.scanning = b == kbdDefault
		reply(rspACK)
	case kbdAllTypmatic, kbdAllMB, kbdAllMake, kbdAllTMB:
		k.clear()
		for i := range k.types {
			k.types[i] = keyType(b - kbdAllTypmatic)
		}
		reply(rspACK)
	case kbdResend:
		reply(k.last)
	case kbdReset:
		k.clear()
		k.defaults()
		k.setLEDs(0)
		k.scanning = true
		reply(rspACK, rspBAT)
	default:
		k.c.Env.Log.Guest("ps2 keyboard: unknown command %#x", b)
		reply(rspResend)
	}
}

// clear forgets the keys that were pressed and not read, and all that are down.
func (k *Keyboard) clear() {
	k.data, k.overrun, k.down = fifo{}, false, [256]bool{}
	k.hold(0)
}

// keyType returns the type that the n-th of the commands of a family sets.
func keyType(n uint8) uint8 {
	return [4]uint8{typeTypmtic, typeBreak, 0, typeTypmtic | typeBreak}[n&3]
}

// argument takes the byte after a command.
func (k *Keyboard) argument(b byte) {
	cmd := k.command
	k.command = 0
	switch cmd {
	case kbdSetLEDs:
		k.setLEDs(b & 7)
	case kbdRate:
		k.rate = b & 0x7f
	case kbdScanSet:
		switch {
		case b == 0:
			k.replies.push(rspACK, k.set)
			return
		case b > 3:
			k.command = cmd
			k.replies.push(rspResend)
			return
		}
		k.clear()
		k.set = b
	default: // key types: a list that ends with the next command
		k.types[b] = keyType(cmd - kbdKeyTypmatic)
		k.command = cmd
	}
	k.replies.push(rspACK)
}

// State implements dev.Device.
func (k *Keyboard) State(s *snap.Section) {
	s.Version(1)
	k.port.state(s)
	s.U8("set", &k.set)
	s.U8("leds", &k.leds)
	s.U8("rate", &k.rate)
	s.Bool("scanning", &k.scanning)
	s.Bool("overrun", &k.overrun)
	s.U8("command", &k.command)
	s.U8("shift", &k.shift)
	s.U8("ctrl", &k.ctrl)
	s.U8("alt", &k.alt)
	s.Bytes("types", k.types[:])
	var down [256]byte
	for i, d := range k.down {
		if d {
			down[i] = 1
		}
	}
	s.Bytes("down", down[:])
	s.U8("repeat", &k.repeat)
	s.I64("next_at", &k.nextAt)
	s.Check(k.nextAt >= 0 && k.nextAt <= 1<<60, "next_at is out of range")
	if s.Loading() {
		for i, d := range down {
			k.down[i] = d != 0
		}
		k.timer.Stop()
		if s.Err() != nil {
			k.repeat, k.nextAt = 0, 0
		} else if k.repeat != 0 {
			k.timer.Set(max(k.nextAt, k.c.Env.Clock.Now()))
		}
	}
	s.Check(k.set >= 1 && k.set <= 3, "set is out of range")
}
