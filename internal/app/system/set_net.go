package system

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhea/internal/catalog"
	"rhea/internal/netdev"
	"rhea/internal/netdev/user"
	"rhea/internal/prop"
)

func netdevHelp(w io.Writer) { listHelp(w, "Available netdev backend types:", catalog.Netdevs()) }

func nicHelp(w io.Writer) {
	fmt.Fprintln(w, "Available NIC models:")
	for _, e := range catalog.Devices() {
		if e.Built && e.Group == "Network" {
			fmt.Fprintln(w, e.Name)
		}
	}
}

// findNetdev returns a network's type.
func findNetdev(name string) (catalog.Entry, error) {
	e, ok := catalog.Find(catalog.Netdevs(), name)
	switch {
	case name == "":
		return e, errors.New("the network's type is missing; -netdev help lists them")
	case !ok:
		return e, fmt.Errorf("'%s' is not a type of network%s; -netdev help lists them", name, prop.DidYouMean(name, catalog.Names(catalog.Netdevs())))
	case !e.Built:
		return e, fmt.Errorf("the network '%s' is not supported yet; -netdev help lists those that are", name)
	}
	return e, nil
}

func newNetdev(kind, option string) Netdev {
	n := Netdev{Type: kind, Hub: -1, Option: option}
	n.Tap.FD, n.Sock.FD = -1, -1
	return n
}

func setNetdev(p *parser, arg string) error {
	p.noNet = true
	l, err := prop.Parse(arg, "type")
	if err != nil {
		return err
	}
	if l.WantsHelp("type") {
		return helpAsked{netdevHelp}
	}
	kind, rest := l.Take("type")
	e, err := findNetdev(kind)
	if err != nil {
		return err
	}
	n := newNetdev(e.Name, p.option)
	var s prop.Set
	netdevProps(&s, &n)
	if err := n.bind(&s, rest); err != nil {
		return err
	}
	switch {
	case n.ID == "":
		return errors.New("parameter 'id' is missing")
	case !validID(n.ID):
		return fmt.Errorf("parameter 'id': '%s' is not an identifier (a letter, then letters, digits, '-', '.', '_')", n.ID)
	}
	return p.addNetdev(n)
}

func (p *parser) addNetdev(n Netdev) error {
	if p.cfg.Netdev(n.ID) != nil {
		return fmt.Errorf("the id '%s' was given twice", n.ID)
	}
	p.cfg.Netdevs = append(p.cfg.Netdevs, n)
	return nil
}

// bind sets n from l and checks what goes together.
func (n *Netdev) bind(s *prop.Set, l prop.List) error {
	if err := s.Bind(lists(l)); err != nil {
		return err
	}
	switch n.Type {
	case "socket", "stream", "dgram":
		k := &n.Sock
		switch {
		case k.Network == "" && k.FD < 0 && n.Type == "socket":
			return errors.New("one of listen, connect, mcast, udp and fd is needed")
		case k.Network == "" && k.FD < 0:
			return errors.New("an address is needed: addr.type=inet, unix or fd and what belongs to it")
		case k.Datagram && k.Network != "" && k.Remote == "":
			return errors.New("the peer's address is missing")
		}
	case "hubport":
		if n.Hub < 0 {
			return errors.New("parameter 'hubid' is missing")
		}
	}
	return nil
}

var element = regexp.MustCompile(`^(hostfwd|guestfwd|dnssearch)\.[0-9]+(\.str)?$`)

// lists gives the elements of JSON lists the names that they have as options.
func lists(l prop.List) prop.List {
	out := slices.Clone(l)
	for i := range out {
		if m := element.FindStringSubmatch(out[i].Key); m != nil {
			out[i].Key = m[1]
		}
	}
	return out
}

// netdevProps declares the keys of n's type.
func netdevProps(s *prop.Set, n *Netdev) {
	s.String("id", &n.ID)
	switch n.Type {
	case "user":
		userProps(s, n)
	case "tap":
		tapProps(s, n)
	case "socket":
		socketProps(s, &n.Sock)
	case "stream", "dgram":
		addressProps(s, n)
	case "hubport":
		s.Int("hubid", &n.Hub, 0, 1<<20)
		s.String("netdev", &n.Netdev)
	}
}

func addrProp(s *prop.Set, name string, p *netip.Addr) {
	s.Func(name, "addr", func(v string) (err error) {
		if *p, err = netip.ParseAddr(v); err != nil {
			err = fmt.Errorf("'%s' is not an address", v)
		}
		return err
	})
}

func userProps(s *prop.Set, n *Netdev) {
	c := &n.User
	four, six := true, true
	flag := func(name string, on *bool, no *bool) {
		s.Func(name, "on|off", func(v string) (err error) {
			*on, err = prop.OnOff(v)
			*no = !*on
			return err
		})
	}
	flag("ipv4", &four, &c.NoIPv4)
	flag("ipv6", &six, &c.NoIPv6)
	s.Func("net", "addr[/mask]", func(v string) (err error) {
		c.Net, err = parseNet(v, 32)
		return err
	})
	addrProp(s, "host", &c.Host)
	addrProp(s, "dns", &c.DNS)
	addrProp(s, "dhcpstart", &c.DHCPStart)
	prefix := func(v string) (err error) { c.Net6, err = parseNet(v, 128); return err }
	s.Func("ipv6-net", "addr[/bits]", prefix)
	s.Func("ipv6-prefix", "addr", prefix)
	s.Func("ipv6-prefixlen", "64", func(v string) error {
		if v != "64" {
			return fmt.Errorf("'%s' is not supported, 64 is", v)
		}
		return nil
	})
	addrProp(s, "ipv6-host", &c.Host6)
	addrProp(s, "ipv6-dns", &c.DNS6)
	s.Bool("restrict", &c.Restrict)
	s.String("hostname", &c.Hostname)
	s.String("domainname", &c.Domain)
	s.Func("dnssearch", "domain", func(v string) error {
		c.Search = append(c.Search, v)
		return nil
	})
	s.String("tftp", &c.TFTP)
	s.String("tftp-server-name", &c.TFTPServerName)
	s.String("bootfile", &c.BootFile)
	s.Func("hostfwd", "[tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport", func(v string) error {
		f, err := user.ParseForward(v)
		c.Forwards = append(c.Forwards, f)
		return err
	})
	s.Func("guestfwd", "[tcp]:server:port-chardev:id|cmd:command|tcp:host:port|unix:path", func(v string) error {
		return n.guestForward(v)
	})
	s.NotYet("smb", "smbserver")
}

func (n *Netdev) guestForward(v string) error {
	at, dev, err := user.ParseService(v)
	if err != nil {
		return err
	}
	kind, rest, _ := strings.Cut(dev, ":")
	g := GuestForward{Text: v}
	switch {
	case rest == "":
		return fmt.Errorf("'%s' is not chardev:id, cmd:command, tcp:host:port or unix:path", dev)
	case kind == "cmd":
		g.Command = rest
	case kind == "tcp" || kind == "unix":
		g.Network, g.Addr = kind, rest
	case kind == "chardev":
		g.Chardev = rest
	default:
		return fmt.Errorf("'%s' is not supported yet; chardev:id, cmd:command, tcp:host:port and unix:path are", dev)
	}
	n.Guest = append(n.Guest, g)
	n.User.Guest = append(n.User.Guest, user.Service{At: at, Text: v})
	return nil
}

// parseNet reads "10.0.2.0/24", "10.0.2.0/255.255.255.0" or an address, whose
// network has 24 (IPv6: 64) bits, or what its class had (QEMU).
func parseNet(v string, size int) (netip.Prefix, error) {
	bad := fmt.Errorf("'%s' is not a network such as 10.0.2.0/24", v)
	if size == 128 {
		bad = fmt.Errorf("'%s' is not a network such as fec0::/64", v)
	}
	text, mask, found := strings.Cut(v, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.BitLen() != size {
		return netip.Prefix{}, bad
	}
	bits := 64
	if size == 32 {
		switch b := a.As4()[0]; {
		case b < 128:
			bits = 8
		case b < 192:
			bits = 16
		default:
			bits = 24
		}
	}
	if found {
		if m, merr := netip.ParseAddr(mask); merr == nil && m.Is4() && size == 32 {
			b := m.As4()
			w := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
			for bits = 0; w&(1<<31) != 0; w <<= 1 {
				bits++
			}
			if w != 0 {
				return netip.Prefix{}, bad
			}
		} else if bits, err = strconv.Atoi(mask); err != nil || bits < 0 || bits > size {
			return netip.Prefix{}, bad
		}
	}
	return netip.PrefixFrom(a, bits), nil
}

const (
	defaultScript     = "/etc/qemu-ifup"
	defaultDownScript = "/etc/qemu-ifdown"
)

func tapProps(s *prop.Set, n *Netdev) {
	t := &n.Tap
	t.Script, t.DownScript = defaultScript, defaultDownScript
	s.String("ifname", &t.Name)
	s.Int("fd", &t.FD, 0, 1<<20)
	for _, x := range []struct {
		name string
		p    *string
	}{{"script", &t.Script}, {"downscript", &t.DownScript}} {
		s.Func(x.name, "file|no", func(v string) error {
			*x.p = v
			if v == "no" {
				*x.p = ""
			}
			return nil
		})
	}
	// They change only how fast it is, or what it may hold.
	s.Ignore("sndbuf", "poll-us")
	s.IgnoreOff("vnet_hdr", "vhost", "vhostforce")
	s.NotYet("fds", "br", "helper", "vhostfd", "vhostfds", "queues")
}

// socketProps are those of "socket", from before stream and dgram.
func socketProps(s *prop.Set, k *Socket) {
	set := func(name string, f func(v string)) {
		s.Func(name, "host:port", func(v string) error {
			if k.Network != "" || k.FD >= 0 {
				return errors.New("only one of listen, connect, mcast, udp and fd can be given")
			}
			i := strings.LastIndexByte(v, ':')
			if i < 0 {
				return fmt.Errorf("'%s' is not host:port", v)
			}
			if _, err := strconv.ParseUint(v[i+1:], 10, 16); err != nil {
				return fmt.Errorf("'%s' is not a port number", v[i+1:])
			}
			k.Network = "tcp"
			f(v)
			return nil
		})
	}
	set("listen", func(v string) { k.Addr, k.Server = v, true })
	set("connect", func(v string) { k.Addr = v })
	set("mcast", func(v string) { k.Network, k.Datagram, k.Remote = "udp", true, v })
	set("udp", func(v string) { k.Network, k.Datagram, k.Remote = "udp", true, v })
	s.Func("localaddr", "addr[:port]", func(v string) error {
		k.Addr = v
		if _, err := netip.ParseAddr(v); err == nil {
			k.Interface = v // of a multicast group
		}
		return nil
	})
	s.Int("fd", &k.FD, 0, 1<<20)
}

// addressProps are those of stream and dgram: QEMU's SocketAddress, flattened.
func addressProps(s *prop.Set, n *Netdev) {
	k := &n.Sock
	seconds, millis := 0, 0
	declare := func(prefix string, addr *string) {
		var host, port string
		join := func() {
			*addr = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
			if port != "" {
				*addr = netJoin(host, port)
			}
		}
		s.Func(prefix+".type", "inet|unix|fd", func(v string) error {
			switch {
			case v == "inet" && n.Type == "stream":
				k.Network = "tcp"
			case v == "inet":
				k.Network = "udp"
			case v == "unix" && n.Type == "stream":
				k.Network = "unix"
			case v == "unix":
				k.Network = "unixgram"
			case v != "fd":
				return fmt.Errorf("'%s' is not one of inet, unix, fd", v)
			}
			return nil
		})
		s.Func(prefix+".host", "host", func(v string) error { host = v; join(); return nil })
		s.Func(prefix+".port", "port", func(v string) error {
			if _, err := prop.Uint(v, 16); err != nil {
				return err
			}
			port = v
			join()
			return nil
		})
		s.Func(prefix+".path", "path", func(v string) error { *addr = v; return nil })
		s.Func(prefix+".str", "fd", func(v string) error {
			fd, err := prop.Uint(v, 20)
			k.FD = int(fd)
			return err
		})
		s.IgnoreOff(prefix+".abstract", prefix+".keep-alive", prefix+".mptcp", prefix+".numeric")
		s.Ignore(prefix+".tight", prefix+".ipv4", prefix+".ipv6", prefix+".to")
	}
	if n.Type == "stream" {
		declare("addr", &k.Addr)
		s.Bool("server", &k.Server)
		retry := func(name string, p *int, unit time.Duration) {
			s.Func(name, "<num>", func(v string) error {
				t, err := prop.Uint(v, 32)
				*p = int(t)
				k.Reconnect = time.Duration(t) * unit
				return err
			})
		}
		retry("reconnect", &seconds, time.Second)
		retry("reconnect-ms", &millis, time.Millisecond)
		return
	}
	k.Datagram = true
	declare("local", &k.Addr)
	declare("remote", &k.Remote)
}

func netJoin(host, port string) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// nicModel returns a card's model; "" is the machine's usual one.
func nicModel(name string) (string, error) {
	e, ok := catalog.Find(catalog.Devices(), name)
	switch {
	case name == "":
		return "", nil
	case !ok || e.Group != "Network":
		return "", fmt.Errorf("'%s' is not a network card%s; -net nic,model=help lists them", name, prop.DidYouMean(name, catalog.Names(catalog.Devices())))
	case !e.Built:
		return "", fmt.Errorf("the network card '%s' is not supported yet; -net nic,model=help lists those that are", name)
	}
	return e.Name, nil
}

func newNIC(model, option string) NIC {
	return NIC{Model: model, Hub: -1, Slot: -1, BootIndex: -1, IOBase: 0x300, IRQ: 9, Option: option}
}

func macProp(s *prop.Set, name string, n *NIC) {
	s.Func(name, "52:54:00:12:34:56", func(v string) (err error) {
		n.MAC, err = netdev.ParseMAC(v)
		n.HasMAC = true
		return err
	})
}

// slotProp is addr= of a card on the PCI bus.
func slotProp(s *prop.Set, p *int) {
	s.Func("addr", "slot", func(v string) error {
		t, fn, _ := strings.Cut(v, ".")
		slot, err := strconv.ParseUint(strings.TrimPrefix(t, "0x"), 16, 8)
		if err != nil || slot > 31 || fn != "" && fn != "0" {
			return fmt.Errorf("'%s' is not a slot of the PCI bus (0 to 1f)", v)
		}
		*p = int(slot)
		return nil
	})
}

// nicProps declares the properties of a card of -device.
func nicProps(model string, s *prop.Set, n *NIC) {
	macProp(s, "mac", n)
	s.String("netdev", &n.Netdev)
	s.Int("vlan", &n.Hub, 0, 1<<20)
	s.Int("bootindex", &n.BootIndex, 0, 1<<20)
	bus := ""
	if model == "ne2k_isa" {
		s.Enum("bus", &bus, "isa.0")
		s.Func("iobase", "<num>", func(v string) error {
			base, err := prop.Uint(v, 16)
			if err == nil && (base < 0x100 || base%0x20 != 0) {
				err = fmt.Errorf("'%s' is not a multiple of 0x20 from 0x100 on", v)
			}
			n.IOBase = uint16(base)
			return err
		})
		s.Int("irq", &n.IRQ, 2, 15)
		return
	}
	s.Enum("bus", &bus, "pci.0")
	slotProp(s, &n.Slot)
	s.Func("romfile", "file", func(v string) error {
		n.ROM, n.OwnROM = v, true
		return nil
	})
	s.Func("rombar", "0|1", func(v string) error {
		if v != "0" && v != "1" {
			return fmt.Errorf("'%s' is neither 0 nor 1", v)
		}
		if v == "0" {
			n.ROM, n.OwnROM = "", true
		}
		return nil
	})
	s.IgnoreOff("multifunction", "failover_pair_id")
	s.IgnoreOn("autonegotiation", "mitigation", "extra_mac_registers", "migrate_tso_props", "init-vet")
	s.NotYet("romsize", "acpi-index")
}

// setNet is -net, the spelling of 2009: cards and networks are plugged into
// hubs, called vlans then.
func setNet(p *parser, arg string) error {
	l, err := prop.Parse(arg, "type")
	if err != nil {
		return err
	}
	kind, rest := l.Take("type")
	if prop.IsHelp(kind) {
		return helpAsked{netdevHelp}
	}
	p.noNet = true
	hub := 0
	switch kind {
	case "none":
		return nil
	case "nic":
		n := newNIC("", p.option)
		return p.addCard(&n, rest, func(s *prop.Set) { s.Int("vlan", &hub, 0, 1<<20) }, func() {
			if n.Netdev == "" {
				n.Hub = hub
			}
		})
	}
	e, err := findNetdev(kind)
	if err != nil {
		return err
	}
	n := newNetdev(e.Name, p.option)
	var s prop.Set
	netdevProps(&s, &n)
	s.Int("vlan", &hub, 0, 1<<20)
	s.String("name", &n.ID) // as 2009 has it
	if err := n.bind(&s, rest); err != nil {
		return err
	}
	if n.Type != "hubport" {
		n.Hub = hub
	}
	if n.ID == "" {
		n.ID = p.freeNetdev(n.Type)
	}
	return p.addNetdev(n)
}

func (p *parser) freeNetdev(kind string) string {
	for i := 0; ; i++ {
		if id := "#" + kind + strconv.Itoa(i); p.cfg.Netdev(id) == nil {
			return id
		}
	}
}

// addCard reads the keys of a card of -net nic or -nic.
func (p *parser) addCard(n *NIC, l prop.List, more func(*prop.Set), then func()) error {
	if v, _ := l.Get("model"); prop.IsHelp(v) {
		return helpAsked{nicHelp}
	}
	var s prop.Set
	cardProps(&s, n)
	s.String("netdev", &n.Netdev)
	more(&s)
	if err := s.Bind(l); err != nil {
		return err
	}
	then()
	p.cfg.NICs = append(p.cfg.NICs, *n)
	return nil
}

// cardProps are the keys of a card of -net nic and -nic.
func cardProps(s *prop.Set, n *NIC) {
	s.Func("model", "name", func(v string) (err error) {
		n.Model, err = nicModel(v)
		return err
	})
	macProp(s, "macaddr", n)
	macProp(s, "mac", n)
	slotProp(s, &n.Slot)
	s.String("name", &n.ID)
	s.Ignore("vectors")
}

// setNIC is -nic: a card with a network of its own.
func setNIC(p *parser, arg string) error {
	l, err := prop.Parse(arg, "type")
	if err != nil {
		return err
	}
	kind, rest := l.Take("type")
	if prop.IsHelp(kind) {
		return helpAsked{netdevHelp}
	}
	if v, _ := rest.Get("model"); prop.IsHelp(v) {
		return helpAsked{nicHelp}
	}
	p.noNet = true
	if kind == "none" {
		return nil
	}
	e, err := findNetdev(kind)
	if err != nil {
		return err
	}
	if e.Name == "hubport" {
		return errors.New("a hub port is no network; use -netdev hubport and -device")
	}
	d, n := newNetdev(e.Name, p.option), newNIC("", p.option)
	var s prop.Set
	netdevProps(&s, &d)
	cardProps(&s, &n)
	if err := d.bind(&s, rest); err != nil {
		return err
	}
	if d.ID == "" {
		d.ID = p.freeNetdev("nic")
	}
	n.Netdev = d.ID
	p.cfg.NICs = append(p.cfg.NICs, n)
	return p.addNetdev(d)
}

// dumpProps declares the properties of -object filter-dump.
func dumpProps(s *prop.Set, o *objectTarget) {
	d := &o.dump
	s.String("netdev", &d.Netdev)
	s.String("file", &d.File)
	s.Int("maxlen", &d.MaxLen, 1, 1<<20)
	s.IgnoreOn("status")
	queue := ""
	s.Enum("queue", &queue, "all")
}

// finishDumps takes the networks' dumps from the objects.
func (p *parser) finishDumps() error {
	for _, o := range p.cfg.Objects {
		if o.Type != "filter-dump" {
			continue
		}
		t, err := p.cfg.object(o.Type, o.ID)
		d := t.dump
		d.Option = o.Option
		for _, f := range []struct{ name, v string }{{"netdev", d.Netdev}, {"file", d.File}} {
			if err == nil && f.v == "" {
				err = fmt.Errorf("parameter '%s' is missing", f.name)
			}
		}
		if err == nil && p.cfg.Netdev(d.Netdev) == nil {
			err = fmt.Errorf("no -netdev has the id '%s'", d.Netdev)
		}
		if err != nil {
			return &optError{o.Option, err}
		}
		p.cfg.NetDumps = append(p.cfg.NetDumps, d)
	}
	return nil
}

func setOptionROM(p *parser, arg string) error {
	l, err := prop.Parse(arg, "romfile")
	if err != nil {
		return err
	}
	rom := ROM{BootIndex: -1}
	var s prop.Set
	s.String("romfile", &rom.File)
	s.Int("bootindex", &rom.BootIndex, 0, 1<<20)
	if err := s.Bind(l); err != nil {
		return err
	}
	if rom.File == "" {
		return errors.New("the name of the file is missing")
	}
	p.cfg.Firmware.ROMs = append(p.cfg.Firmware.ROMs, rom)
	return nil
}

// romFiles are the cards' usual option ROMs (iPXE).
var romFiles = map[string]string{"e1000": "pxe-e1000.rom", "ne2k_pci": "pxe-ne2k_pci.rom", "rtl8139": "pxe-rtl8139.rom"}

// finishNet fills in the cards' defaults and checks that all fits together.
func (p *parser) finishNet() error {
	c := p.cfg
	isa := c.Machine.Type == "isapc"
	usual := "e1000"
	if isa {
		usual = "ne2k_isa"
	}
	if !p.noNet && !p.noDefaults && len(c.NICs) == 0 {
		d, n := newNetdev("user", "-net user"), newNIC(usual, "-net nic")
		d.ID = p.freeNetdev("net")
		n.Netdev = d.ID
		// What the user's own firmware makes of a boot ROM that nobody has asked
		// for is not known: Bochs's BIOS lets iPXE take the boot.
		n.OwnROM = c.Firmware.BIOS != ""
		c.Netdevs, c.NICs = append(c.Netdevs, d), append(c.NICs, n)
	}
	users := map[string]string{}
	for i := range c.Netdevs {
		d := &c.Netdevs[i]
		if d.Netdev == "" {
			continue
		}
		if err := p.plug(d.Netdev, d.Option, users); err != nil {
			return err
		}
	}
	for i := range c.NICs {
		n := &c.NICs[i]
		if n.Model == "" {
			n.Model = usual
		}
		e, _ := catalog.Find(catalog.Devices(), n.Model)
		if isa && e.Bus == "PCI" {
			return &optError{n.Option, fmt.Errorf("%s is a PCI card, and an isapc has no PCI bus; use ne2k_isa", n.Model)}
		}
		if n.Netdev != "" {
			if err := p.plug(n.Netdev, n.Option, users); err != nil {
				return err
			}
		}
		if !n.OwnROM {
			n.ROM = romFiles[n.Model]
		}
	}
	p.defaultMACs()
	if err := p.finishDumps(); err != nil {
		return err
	}
	for _, d := range c.Netdevs {
		if users[d.ID] == "" && d.Hub < 0 {
			p.note("%s: no card uses this network", d.Option)
		}
	}
	return nil
}

// plug notes that a network is used; it can be by one only.
func (p *parser) plug(id, by string, users map[string]string) error {
	switch {
	case p.cfg.Netdev(id) == nil:
		return &optError{by, fmt.Errorf("no -netdev has the id '%s'", id)}
	case users[id] != "":
		return &optError{by, fmt.Errorf("the network '%s' is in use by %s; -netdev hubport joins several", id, users[id])}
	}
	users[id] = by
	return nil
}

// defaultMACs gives addresses to the cards that have none.
func (p *parser) defaultMACs() {
	next := 0
	for i := range p.cfg.NICs {
		n := &p.cfg.NICs[i]
		for !n.HasMAC {
			n.MAC = netdev.DefaultMAC(next)
			next++
			n.HasMAC = !slices.ContainsFunc(p.cfg.NICs, func(o NIC) bool { return o.HasMAC && o.MAC == n.MAC })
		}
	}
}
