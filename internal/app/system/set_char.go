package system

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"rhea/internal/catalog"
	"rhea/internal/display/console"
	"rhea/internal/prop"
)

// charSpec is the argument of -serial and its like.
type charSpec struct{ option, arg string }

type monSpec struct {
	option string
	Monitor
}

func setSerial(p *parser, arg string) error {
	p.serials = append(p.serials, charSpec{p.option, arg})
	return charHelp(arg)
}

func setParallel(p *parser, arg string) error {
	p.parallels = append(p.parallels, charSpec{p.option, arg})
	return charHelp(arg)
}

func setMonitor(p *parser, arg string) error {
	p.monitors = append(p.monitors, charSpec{p.option, arg})
	return charHelp(arg)
}

func charHelp(arg string) error {
	if prop.IsHelp(arg) {
		return helpAsked{chardevHelp}
	}
	return nil
}

func setDebugcon(p *parser, arg string) error {
	if p.debugcon != nil {
		return errors.New("a second debug console is not supported yet")
	}
	p.debugcon = &charSpec{p.option, arg}
	return charHelp(arg)
}

func setMon(p *parser, arg string) error {
	m := monSpec{option: p.option, Monitor: Monitor{Mode: "readline"}}
	err := bind(arg, "chardev", func(s *prop.Set) {
		s.String("chardev", &m.Chardev)
		s.Enum("mode", &m.Mode, "readline", "control")
		s.Ignore("pretty", "id", "default")
	})
	if err != nil {
		return err
	}
	if m.Mode == "control" {
		return errors.New("mode=control (QMP) is not supported yet; leave it out for the human monitor")
	}
	if m.Chardev == "" {
		return noChardev("")
	}
	p.mons = append(p.mons, m)
	return nil
}

func newChardev(option string) Chardev { return Chardev{FD: -1, Signal: true, Option: option} }

func setChardev(p *parser, arg string) error {
	l, err := prop.Parse(arg, "backend")
	if err != nil {
		return err
	}
	if l.WantsHelp("backend") {
		return helpAsked{chardevHelp}
	}
	name, rest := l.Take("backend")
	e, ok := catalog.Find(catalog.Chardevs(), name)
	switch {
	case name == "":
		return errors.New("the back end's name is missing; -chardev help lists them")
	case !ok:
		return fmt.Errorf("'%s' is not a valid char driver name%s; -chardev help lists them", name, prop.DidYouMean(name, catalog.Names(catalog.Chardevs())))
	case !e.Built:
		return fmt.Errorf("the back end '%s' is not supported yet; -chardev help lists those that are", name)
	}
	c := newChardev(p.option)
	c.Backend = e.Name
	var s prop.Set
	chardevProps(&s, &c)
	if err := s.Bind(rest); err != nil {
		return err
	}
	switch {
	case c.ID == "":
		return errors.New("parameter 'id' is missing")
	case !validID(c.ID):
		return fmt.Errorf("parameter 'id': '%s' is not an identifier (a letter, then letters, digits, '-', '.', '_')", c.ID)
	case p.cfg.Chardev(c.ID) != nil:
		return fmt.Errorf("the id '%s' was given twice", c.ID)
	}
	if err := checkChardev(&c, rest); err != nil {
		return err
	}
	p.cfg.Chardevs = append(p.cfg.Chardevs, c)
	return nil
}

// chardevProps declares the keys of c's back end.
func chardevProps(s *prop.Set, c *Chardev) {
	s.String("id", &c.ID)
	s.Bool("mux", &c.Mux)
	s.String("logfile", &c.LogFile)
	s.Bool("logappend", &c.LogAppend)
	switch c.Backend {
	case "stdio":
		s.Bool("signal", &c.Signal)
	case "file":
		s.String("path", &c.Path)
		s.Bool("append", &c.Append)
		s.NotYet("input-path")
	case "pipe", "serial":
		s.String("path", &c.Path)
	case "ringbuf":
		c.Size = 64 * prop.KiB
		s.Size("size", &c.Size, prop.B)
	case "vc":
		s.Int("cols", &c.Columns, 2, console.MaxColumns)
		s.Int("rows", &c.Rows, 2, console.MaxRows)
		s.Func("width", "<pixels>", func(v string) error { return cells(v, &c.Columns, console.CellWidth, console.MaxColumns) })
		s.Func("height", "<pixels>", func(v string) error { return cells(v, &c.Rows, console.CellHeight, console.MaxRows) })
	case "socket":
		declareSocket(s, c)
	case "udp":
		c.Host, c.LocalPort = "localhost", "0"
		s.String("host", &c.Host)
		s.String("port", &c.Port)
		s.String("localaddr", &c.LocalHost)
		s.String("localport", &c.LocalPort)
		s.Bool("ipv4", &c.IPv4)
		s.Bool("ipv6", &c.IPv6)
	}
}

func declareSocket(s *prop.Set, c *Chardev) {
	c.NoDelay, c.Wait = true, true
	seconds := func(unit time.Duration) func(string) error {
		return func(v string) error {
			n, err := prop.Uint(v, 31)
			c.Reconnect = time.Duration(n) * unit
			return err
		}
	}
	s.String("path", &c.Path)
	s.String("host", &c.Host)
	s.String("port", &c.Port)
	s.Bool("server", &c.Server)
	s.Bool("wait", &c.Wait)
	s.Bool("telnet", &c.Telnet)
	s.Bool("nodelay", &c.NoDelay)
	s.Func("delay", "on|off", func(v string) error {
		on, err := prop.OnOff(v)
		c.NoDelay = !on
		return err
	})
	s.Bool("ipv4", &c.IPv4)
	s.Bool("ipv6", &c.IPv6)
	s.Func("reconnect", "<seconds>", seconds(time.Second))
	s.Func("reconnect-ms", "<ms>", seconds(time.Millisecond))
	s.Func("fd", "<num>", func(v string) error {
		n, err := prop.Uint(v, 31)
		c.FD = int(n)
		return err
	})
	s.IgnoreOff("websocket", "tn3270", "abstract", "tight")
	s.NotYet("to", "tls-creds", "tls-authz")
}

// checkChardev checks what belongs together; given is what was written.
func checkChardev(c *Chardev, given prop.List) error {
	has := func(k string) bool { _, ok := given.Get(k); return ok }
	switch c.Backend {
	case "file", "pipe", "serial":
		if c.Path == "" {
			return errors.New("parameter 'path' is missing")
		}
	case "ringbuf":
		if c.Size == 0 || c.Size&(c.Size-1) != 0 || c.Size > prop.GiB {
			return errors.New("the size must be a power of two, at most 1G")
		}
	case "udp":
		if c.Port == "" {
			return errors.New("parameter 'port' is missing")
		}
		for _, port := range []string{c.Port, c.LocalPort} {
			if _, err := strconv.ParseUint(port, 10, 16); err != nil {
				return fmt.Errorf("'%s' is not a port number", port)
			}
		}
	case "socket":
		switch {
		case c.Path == "" && c.Port == "" && c.FD < 0:
			return errors.New("a path, a port or an fd is needed")
		case c.Path != "" && c.Port != "" || c.FD >= 0 && (c.Path != "" || c.Port != ""):
			return errors.New("path, port and fd exclude each other")
		case !c.Server && has("wait"):
			return errors.New("'wait' is for server=on only")
		case c.Server && c.Reconnect != 0:
			return errors.New("'reconnect' is for clients only")
		}
		if c.Port != "" {
			if _, err := strconv.ParseUint(c.Port, 10, 16); err != nil {
				return fmt.Errorf("'%s' is not a port number", c.Port)
			}
		}
		if n := len(c.Path); n > 107 {
			// sun_path of unix(7).
			return fmt.Errorf("the path of a unix socket has at most 107 characters, this one has %d", n)
		}
	}
	return nil
}

// legacyChardev reads the argument of -serial, -monitor and their like. It
// returns the character device it stands for, or the id of one that exists.
func (p *parser) legacyChardev(label, spec string) (c Chardev, id string, monitor bool, err error) {
	c = newChardev(p.option)
	c.ID = label
	if rest, ok := strings.CutPrefix(spec, "mon:"); ok {
		// Ctrl-C belongs to the guest then.
		monitor, spec, c.Mux, c.Signal = true, rest, true, false
	}
	kind, rest, colon := strings.Cut(spec, ":")
	switch kind {
	case "chardev":
		if p.cfg.Chardev(rest) == nil {
			return c, "", false, noChardev(rest)
		}
		return c, rest, monitor, nil
	case "stdio", "null", "pty", "ringbuf", "memory":
		if colon {
			return c, "", false, fmt.Errorf("'%s' takes nothing after it", kind)
		}
		c.Backend = kind
		if kind == "ringbuf" || kind == "memory" {
			c.Backend, c.Size = "ringbuf", 64*prop.KiB
		}
		return c, "", monitor, nil
	case "vc":
		c.Backend = "vc"
		return c, "", monitor, vcSize(&c, rest)
	case "file", "pipe":
		c.Backend = kind
		l, err := prop.Parse(rest, "path")
		if err != nil {
			return c, "", false, err
		}
		var s prop.Set
		chardevProps(&s, &c)
		if err := s.Bind(l); err != nil {
			return c, "", false, err
		}
		c.ID = label
		return c, "", monitor, checkChardev(&c, l)
	case "tcp", "telnet", "unix":
		err := p.legacySocket(&c, kind, rest)
		c.ID = label
		return c, "", monitor, err
	case "udp":
		err := c.legacyUDP(rest)
		return c, "", monitor, err
	case "tn3270", "websocket", "msmouse", "wctablet", "braille", "testdev", "con":
		return c, "", false, fmt.Errorf("'%s' is not supported yet", kind)
	}
	if strings.HasPrefix(spec, "/dev/") || runtime.GOOS == "windows" && strings.HasPrefix(strings.ToUpper(spec), "COM") {
		c.Backend, c.Path = "serial", spec
		return c, "", monitor, nil
	}
	known := []string{"stdio", "null", "none", "pty", "file:", "pipe:", "tcp:", "telnet:", "unix:", "udp:", "mon:stdio", "chardev:", "vc", "ringbuf"}
	return c, "", false, fmt.Errorf("'%s' is not a valid character device%s; -chardev help lists the back ends", spec, prop.DidYouMean(spec, known))
}

// cells turns pixels into characters.
func cells(v string, to *int, size, most int) error {
	n, err := prop.Uint(v, 16)
	if err == nil && (int(n)/size < 2 || int(n)/size > most) {
		err = fmt.Errorf("%s is not in %d..%d", v, 2*size, most*size)
	}
	*to = int(n) / size
	return err
}

// vcSize reads "800x600", in pixels, or "80Cx24C", in characters.
func vcSize(c *Chardev, s string) error {
	if s == "" {
		return nil
	}
	bad := fmt.Errorf("'%s' is not the size of a console, such as vc:80Cx24C or vc:800x600", s)
	w, h, ok := strings.Cut(s, "x")
	if !ok {
		return bad
	}
	for _, d := range []struct {
		s          string
		to         *int
		size, most int
	}{{w, &c.Columns, console.CellWidth, console.MaxColumns}, {h, &c.Rows, console.CellHeight, console.MaxRows}} {
		n, chars := strings.CutSuffix(d.s, "C")
		if chars {
			d.size = 1
		}
		if cells(n, d.to, d.size, d.most) != nil {
			return bad
		}
	}
	return nil
}

func (p *parser) legacySocket(c *Chardev, kind, rest string) error {
	c.Backend = "socket"
	addr, opts := prop.Cut(rest)
	if kind == "unix" {
		c.Path = addr
	} else {
		i := strings.LastIndexByte(addr, ':')
		if i < 0 {
			return fmt.Errorf("'%s' has no port: %s:host:port", addr, kind)
		}
		c.Host, c.Port = strings.TrimSuffix(strings.TrimPrefix(addr[:i], "["), "]"), addr[i+1:]
	}
	l, err := prop.Parse(opts, "")
	if err != nil {
		return err
	}
	path, host, port := c.Path, c.Host, c.Port
	var s prop.Set
	chardevProps(&s, c)
	c.Telnet = kind == "telnet"
	if err := s.Bind(l); err != nil {
		return err
	}
	c.Path, c.Host, c.Port = path, host, port
	return checkChardev(c, l)
}

// legacyUDP reads "[host]:port[@[localhost]:localport]".
func (c *Chardev) legacyUDP(rest string) error {
	c.Backend, c.Host, c.LocalPort = "udp", "localhost", "0"
	remote, local, at := strings.Cut(rest, "@")
	split := func(s string, host, port *string) bool {
		i := strings.LastIndexByte(s, ':')
		if i < 0 {
			return false
		}
		if h := strings.TrimSuffix(strings.TrimPrefix(s[:i], "["), "]"); h != "" {
			*host = h
		}
		*port = s[i+1:]
		return true
	}
	if !split(remote, &c.Host, &c.Port) || at && !split(local, &c.LocalHost, &c.LocalPort) {
		return fmt.Errorf("'%s' is not udp:[host]:port[@[localhost]:localport]", "udp:"+rest)
	}
	return checkChardev(c, nil)
}

// addChardev adds c and returns its id.
func (p *parser) addChardev(c Chardev) string {
	p.cfg.Chardevs = append(p.cfg.Chardevs, c)
	return c.ID
}

// freeID returns an id with that stem that is not used.
func (p *parser) freeID(stem string) string {
	for i := 0; ; i++ {
		if id := stem + strconv.Itoa(i); p.cfg.Chardev(id) == nil {
			return id
		}
	}
}

// attach makes the character device of a spec; "" is none.
func (p *parser) attach(label string, s charSpec) (id string, err error) {
	p.option = s.option
	if s.arg == "none" {
		return "", nil
	}
	if s.arg == "" {
		return "", p.wrap(errors.New("the character device is missing"))
	}
	if p.cfg.Chardev(label) != nil {
		label = p.freeID(label + "-")
	}
	c, id, monitor, err := p.legacyChardev(label, s.arg)
	if err != nil {
		return "", p.wrap(err)
	}
	if id == "" {
		id = p.addChardev(c)
	}
	if monitor {
		p.cfg.Chardev(id).Mux = true
		p.cfg.Monitors = append(p.cfg.Monitors, Monitor{Chardev: id, Mode: "readline"})
	}
	return id, nil
}

// finishChars gives the ports and the monitors their character devices.
func (p *parser) finishChars() error {
	c := p.cfg
	p.defaultChars()
	for i, s := range p.serials {
		id, err := p.attach("serial"+strconv.Itoa(i), s)
		if err != nil {
			return err
		}
		c.Serials = append(c.Serials, id)
	}
	if len(c.Serials) > 4 {
		return &optError{p.serials[4].option, errors.New("a PC has at most 4 serial ports")}
	}
	for i, s := range p.parallels {
		id, err := p.attach("parallel"+strconv.Itoa(i), s)
		if err != nil {
			return err
		}
		c.Parallels = append(c.Parallels, id)
	}
	if len(c.Parallels) > 3 {
		return &optError{p.parallels[3].option, errors.New("a PC has at most 3 parallel ports")}
	}
	for i, s := range p.monitors {
		id, err := p.attach("compat_monitor"+strconv.Itoa(i), s)
		if err != nil {
			return err
		}
		if id != "" {
			c.Monitors = append(c.Monitors, Monitor{Chardev: id, Mode: "readline", Default: p.defaultMonitor})
		}
	}
	for _, m := range p.mons {
		if c.Chardev(m.Chardev) == nil {
			return &optError{m.option, noChardev(m.Chardev)}
		}
		c.Monitors = append(c.Monitors, m.Monitor)
	}
	if p.debugcon != nil {
		id, err := p.attach("debugcon", *p.debugcon)
		if err != nil {
			return err
		}
		if id != "" {
			c.Debugcon = &Debugcon{Chardev: id, IOBase: 0xe9, ReadBack: 0xe9}
		}
	}
	return nil
}

// defaultChars adds what is there without being asked for: a serial and a
// parallel port and a monitor, on the terminal with -nographic.
func (p *parser) defaultChars() {
	isaSerial, isaParallel := false, false
	for _, d := range p.devices {
		isaSerial = isaSerial || d.Driver == "isa-serial"
		isaParallel = isaParallel || d.Driver == "isa-parallel"
	}
	serial := len(p.serials) == 0 && !isaSerial && !p.noDefaults
	parallel := len(p.parallels) == 0 && !isaParallel && !p.noDefaults
	monitor := len(p.monitors) == 0 && len(p.mons) == 0 && !p.noDefaults
	for _, s := range p.serials {
		monitor = monitor && !strings.HasPrefix(s.arg, "mon:")
	}
	def := func(l *[]charSpec, arg string) { *l = append(*l, charSpec{"-nographic", arg}) }
	if parallel && p.nographic {
		def(&p.parallels, "null")
	}
	switch {
	case !p.nographic:
		const size = "vc:80Cx24C"
		if parallel {
			def(&p.parallels, size)
		}
		if serial {
			def(&p.serials, size)
		}
		if monitor {
			def(&p.monitors, size)
			p.defaultMonitor = true
		}
	case serial && monitor:
		def(&p.serials, "mon:stdio")
	case serial:
		def(&p.serials, "stdio")
	case monitor:
		def(&p.monitors, "stdio")
	}
}

// checkSharing: one character device has one user, unless it is multiplexed,
// and there is one terminal.
func (p *parser) checkSharing() error {
	c := p.cfg
	users := map[string]int{}
	use := func(id string) {
		if id != "" {
			users[id]++
		}
	}
	for _, id := range c.Serials {
		use(id)
	}
	for _, id := range c.Parallels {
		use(id)
	}
	for _, m := range c.Monitors {
		use(m.Chardev)
	}
	if c.Debugcon != nil {
		use(c.Debugcon.Chardev)
	}
	for i := range c.Netdevs {
		for _, g := range c.Netdevs[i].Guest {
			if g.Chardev != "" && c.Chardev(g.Chardev) == nil {
				return &optError{c.Netdevs[i].Option, noChardev(g.Chardev)}
			}
			use(g.Chardev)
		}
	}
	stdio := ""
	for i := range c.Chardevs {
		d := &c.Chardevs[i]
		if users[d.ID] > 1 && !d.Mux {
			return &optError{d.Option, fmt.Errorf("the character device '%s' has %d users; give it mux=on to share it", d.ID, users[d.ID])}
		}
		if users[d.ID] > 4 {
			return &optError{d.Option, fmt.Errorf("the character device '%s' has %d users; at most 4 can share one", d.ID, users[d.ID])}
		}
		if d.Backend == "stdio" {
			if stdio != "" {
				return &optError{d.Option, fmt.Errorf("standard input and output are in use by %s; 'mon:stdio' shares them with the monitor", stdio)}
			}
			stdio = d.Option
		}
	}
	return nil
}

func formsHelp(w io.Writer, title string, forms []string) {
	fmt.Fprintln(w, title)
	for _, f := range forms {
		fmt.Fprintln(w, "  "+f)
	}
}
