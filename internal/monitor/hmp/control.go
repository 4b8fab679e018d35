package hmp

import (
	"fmt"
	"strings"
	"time"

	"rhea/internal/keys"
	"rhea/internal/trace"
)

func help(c *call) error {
	name, sub := c.args.Text("name"), c.args.Text("sub")
	switch {
	case name == "":
		c.list(c.m.commands)
	case name == "info" && sub == "":
		c.list(c.m.infos)
	default:
		cmd, _, err := c.m.find(name + " " + sub)
		if err != nil {
			return plainError{err}
		}
		c.line(cmd)
	}
	return nil
}

func info(c *call) error {
	c.list(c.m.infos)
	return nil
}

func (c *call) list(table []command) {
	for i := range table {
		c.line(&table[i])
	}
}

func (c *call) line(cmd *command) {
	prefix := ""
	if c.m.isInfo(cmd) {
		prefix = "info "
	}
	c.printf("%s%s %s -- %s\n", prefix, cmd.names, cmd.params, cmd.help)
}

func quit(c *call) error {
	if c.s != nil {
		c.s.quitting = true
	}
	c.m.c.Machine.Quit(0)
	return nil
}

func stop(c *call) error       { c.m.c.Machine.Stop(); return nil }
func cont(c *call) error       { return c.m.c.Machine.Cont() }
func reset(c *call) error      { c.m.c.Machine.Reset(); return nil }
func powerDown(c *call) error  { c.m.c.Machine.PowerDown(); return nil }
func screendump(c *call) error { return c.screendump() }

func selectCPU(c *call) error {
	n := c.args.Number("index")
	if n < 0 || n >= int64(len(c.m.c.CPUs)) {
		c.printf("invalid CPU index\n")
		return nil
	}
	c.m.cpu = int(n)
	return nil
}

func nmi(c *call) error {
	if c.m.c.NMI == nil {
		return errAbsent
	}
	c.m.c.NMI()
	return nil
}

func bootSet(c *call) error {
	if c.m.c.BootOrder == nil {
		return errAbsent
	}
	order := c.args.Text("bootdevice")
	for i, ch := range order {
		if ch < 'a' || ch > 'p' {
			return plain("Invalid boot device '%s'", printable(string(ch)))
		}
		if strings.ContainsRune(order[:i], ch) {
			return plain("Boot device '%c' was given twice", ch)
		}
	}
	if err := c.m.c.BootOrder(order); err != nil {
		return err
	}
	c.printf("boot device list now set to %s\n", order)
	return nil
}

func log(c *call) error {
	if c.m.c.Log == nil {
		return errAbsent
	}
	list := c.args.Text("items")
	if list == "help" || list == "?" {
		c.printf("Log items (comma separated):\n%-15s %s\n", "none", "remove all logs")
		for _, i := range trace.Items() {
			c.printf("%-15s %s\n", i.Name, i.Help)
		}
		return nil
	}
	var items trace.Item
	for name := range strings.SplitSeq(list, ",") {
		item, ok := logItem(name)
		if !ok {
			if n := nearest(name, logNames()); n != "" {
				return plain("unknown log item '%s' (did you mean '%s'?); 'log help' lists them", printable(name), n)
			}
			return plain("unknown log item '%s'; 'log help' lists them", printable(name))
		}
		items |= item
	}
	c.m.c.Log.Set(items)
	return nil
}

func logItem(name string) (trace.Item, bool) {
	if name == "none" {
		return 0, true
	}
	for _, i := range trace.Items() {
		if i.Name == name {
			return i.Item, true
		}
	}
	return 0, false
}

func logNames() []string {
	names := []string{"none"}
	for _, i := range trace.Items() {
		names = append(names, i.Name)
	}
	return names
}

func logFile(c *call) error {
	if c.m.c.LogFile == nil {
		return errAbsent
	}
	return c.m.c.LogFile(c.args.Text("filename"))
}

// plain is an error that is shown without "Error: " before it.
func plain(format string, args ...any) error { return plainError{fmt.Errorf(format, args...)} }

type plainError struct{ error }

// keyQueue is what sendkey has to do yet: QEMU presses keys one by one, each
// for the hold time, and releases them in the opposite order.
type keyQueue struct {
	steps   []keyStep // used under the machine's lock
	running bool
}

type keyStep struct {
	code keys.Code
	down bool
	hold time.Duration
}

// maxKeys bounds the queue.
const maxKeys = 1024

func sendkey(c *call) error {
	keyboard := c.m.c.Keyboard
	if keyboard == nil {
		return errAbsent
	}
	hold := int64(100)
	if c.args.Has("hold_ms") {
		hold = c.args.Number("hold_ms")
	}
	if hold < 0 || hold > 60_000 {
		return plain("a hold time of %d ms is not possible: 0 to 60000", hold)
	}
	codes, err := keyCodes(c.args.Text("keys"))
	if err != nil {
		return err
	}
	q := &c.m.keys
	if len(q.steps)+2*len(codes) > maxKeys {
		return plain("too many keys wait to be sent")
	}
	d := time.Duration(hold) * time.Millisecond
	for _, k := range codes {
		q.steps = append(q.steps, keyStep{k, true, d})
	}
	for i := len(codes) - 1; i >= 0; i-- {
		q.steps = append(q.steps, keyStep{codes[i], false, d})
	}
	if !q.running {
		c.m.typeKeys()
	}
	return nil
}

// typeKeys sends what is due and comes back for the rest. The machine's lock
// is held.
func (m *Monitor) typeKeys() {
	q := &m.keys
	q.running = true
	for len(q.steps) > 0 {
		s := q.steps[0]
		q.steps = q.steps[1:]
		m.c.Keyboard.Key(s.code, s.down)
		if m.c.After != nil && s.hold > 0 {
			m.c.After(s.hold, m.typeKeys)
			return
		}
	}
	q.steps, q.running = nil, false
}

// keyCodes parses "ctrl-alt-delete".
func keyCodes(s string) ([]keys.Code, error) {
	var codes []keys.Code
	for name := range strings.SplitSeq(s, "-") {
		if name == "<" {
			name = "less"
		}
		code, ok := keys.ByName(name)
		if !ok && strings.HasPrefix(name, "0x") {
			var n uint16
			if _, err := fmt.Sscanf(name, "0x%x", &n); err == nil {
				if n > 0x80 && n < 0x100 { // as QEMU writes E0 xx
					n = 0xe000 | n&0x7f
				}
				code, ok = keys.BySet1(n)
			}
		}
		if !ok {
			var names []string
			for _, k := range keys.All() {
				names = append(names, k.Name())
			}
			if n := nearest(name, names); n != "" && name != "" {
				return nil, plain("invalid parameter: %s (did you mean '%s'?)", printable(name), n)
			}
			return nil, plain("invalid parameter: %s", printable(name))
		}
		if codes = append(codes, code); len(codes) > 16 {
			return nil, plain("too many keys at once: at most 16")
		}
	}
	return codes, nil
}

func mouseMove(c *call) error {
	if c.m.c.Pointer == nil {
		return errAbsent
	}
	var v [3]int
	for i, name := range [...]string{"dx", "dy", "dz"} {
		n := c.args.Number(name)
		if n < -1<<15 || n > 1<<15 {
			return plain("a move by %d is too far", n)
		}
		v[i] = int(n)
	}
	c.m.c.Pointer.Move(v[0], v[1], v[2])
	return nil
}

func mouseButton(c *call) error {
	if c.m.c.Pointer == nil {
		return errAbsent
	}
	// The monitor's bits are left, middle, right; the pointer's left, right,
	// middle.
	n := c.args.Number("state")
	c.m.c.Pointer.SetButtons(uint8(n&1 | n>>1&2 | n<<1&4))
	return nil
}
