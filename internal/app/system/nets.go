package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rhea/internal/board/pc"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/net/e1000"
	"rhea/internal/dev/net/ne2000"
	"rhea/internal/dev/net/rtl8139"
	"rhea/internal/firmware/load"
	"rhea/internal/monitor/hmp"
	"rhea/internal/netdev"
	"rhea/internal/netdev/dgram"
	"rhea/internal/netdev/dump"
	"rhea/internal/netdev/hub"
	"rhea/internal/netdev/stream"
	"rhea/internal/netdev/tap"
	"rhea/internal/netdev/user"
	"rhea/internal/vm"
)

// nets is the machine's networks.
type nets struct {
	backs map[string]netdev.Backend // by id
	hubs  map[int]*hub.Hub
	cards []*card
}

// card is a network card that is built.
type card struct {
	cfg  *NIC
	name string
	link *netdev.Link
}

// openNets opens the host's networks and joins them to the cards' cables.
func (m *machine) openNets() error {
	n := &m.nets
	n.backs, n.hubs = map[string]netdev.Backend{}, map[int]*hub.Hub{}
	c := m.cfg
	for i := range c.Netdevs {
		d := &c.Netdevs[i]
		if d.Type == "hubport" {
			continue
		}
		b, err := m.openNetdev(d)
		if err != nil {
			return &optError{d.Option, reason(err)}
		}
		n.backs[d.ID] = b
	}
	for i := range c.Netdevs {
		d := &c.Netdevs[i]
		switch {
		case d.Hub < 0:
		case d.Type != "hubport":
			n.hub(d.Hub).Join(n.backs[d.ID])
		case d.Netdev != "":
			n.hub(d.Hub).Join(n.backs[d.Netdev])
		}
	}
	for i := range c.NICs {
		m.cable(&c.NICs[i])
	}
	if err := m.dumps(); err != nil {
		return err
	}
	// They go first: a cable that waits for one comes back.
	for _, b := range n.backs {
		m.closeLater(b)
	}
	return nil
}

func (n *nets) hub(id int) *hub.Hub {
	if n.hubs[id] == nil {
		n.hubs[id] = hub.New()
	}
	return n.hubs[id]
}

// cable makes a card's cable.
func (m *machine) cable(cfg *NIC) {
	n := &m.nets
	var b netdev.Backend
	if d := m.cfg.Netdev(cfg.Netdev); d != nil && d.Type == "hubport" {
		b = n.hub(d.Hub).Port()
	} else if d != nil {
		b = n.backs[d.ID]
	} else if cfg.Hub >= 0 {
		b = n.hub(cfg.Hub).Port()
	}
	k := &card{cfg: cfg, name: cfg.ID, link: netdev.NewLink(m.vm.Env().Post, b)}
	if k.name == "" {
		same := 0
		for _, o := range n.cards {
			if o.cfg.Model == cfg.Model {
				same++
			}
		}
		k.name = fmt.Sprintf("%s.%d", cfg.Model, same)
	}
	n.cards = append(n.cards, k)
	m.closeLater(k.link)
	k.link.Run(false)
	m.vm.OnState(func(s vm.State) { k.link.Run(s == vm.Running) })
}

// dumps has frames written to files.
func (m *machine) dumps() error {
	for i := range m.cfg.NetDumps {
		d := &m.cfg.NetDumps[i]
		f, err := dump.Create(d.File, d.MaxLen)
		if err != nil {
			return &optError{d.Option, fmt.Errorf("could not make '%s': %w", d.File, reason(err))}
		}
		m.closeLater(closeFunc(func() error {
			if err := f.Close(); err != nil {
				fmt.Fprintf(m.env.Stderr, "%s: %s: could not write '%s': %v\n", m.env.Program, d.Option, d.File, reason(err))
			}
			return nil
		}))
		on := m.cfg.Netdev(d.Netdev)
		for _, k := range m.nets.cards {
			if k.cfg.Netdev == d.Netdev || on.Hub >= 0 && k.cfg.Hub == on.Hub {
				k.link.AddTap(f.Frame)
			}
		}
	}
	return nil
}

// openNetdev opens one network.
func (m *machine) openNetdev(d *Netdev) (netdev.Backend, error) {
	switch d.Type {
	case "user":
		c := d.User
		for i := range c.Guest {
			g := d.Guest[i]
			c.Guest[i].Open = g.open
			if g.Chardev != "" {
				c.Guest[i].Open = m.charService(g.Chardev)
			}
		}
		return opened(user.New(c))
	case "tap":
		c := d.Tap
		for _, p := range []*string{&c.Script, &c.DownScript} {
			if _, err := os.Stat(*p); err != nil && (*p == defaultScript || *p == defaultDownScript) {
				*p = "" // where there is none, none is run
			}
		}
		return opened(tap.New(c))
	}
	k := &d.Sock
	if k.Datagram {
		local := k.Addr
		if k.Interface == k.Addr {
			local = ""
		}
		return opened(dgram.New(dgram.Config{Network: k.Network, Local: local, Remote: k.Remote, Interface: k.Interface, FD: k.FD}))
	}
	return opened(stream.New(stream.Config{Network: k.Network, Addr: k.Addr, FD: k.FD, Server: k.Server, Reconnect: k.Reconnect}))
}

// opened keeps a nil of a type from becoming an interface that is not nil.
func opened[B netdev.Backend](b B, err error) (netdev.Backend, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

// open makes a connection to what is behind a guestfwd address.
func (g *GuestForward) open() (user.Stream, error) {
	if g.Command == "" {
		c, err := net.DialTimeout(g.Network, g.Addr, 30*time.Second)
		if err != nil {
			return nil, err
		}
		return c.(user.Stream), nil
	}
	words := strings.Fields(g.Command)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		cancel()
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	err = cmd.Start()
	w.Close()
	if err != nil {
		cancel()
		r.Close()
		return nil, err
	}
	go cmd.Wait()
	return &program{r, in, cancel}, nil
}

// program is a running command as a connection.
type program struct {
	*os.File // its output
	in       io.WriteCloser
	cancel   func()
}

func (p *program) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *program) CloseWrite() error           { return p.in.Close() }
func (p *program) Close() error {
	p.cancel()
	return errors.Join(p.in.Close(), p.File.Close())
}

// addCards gives the board its network cards.
func (m *machine) addCards(b *pc.Config) error {
	for i, k := range m.nets.cards {
		rom, err := m.cardROM(k.cfg)
		if err != nil {
			return err
		}
		cfg, env := k.cfg, m.vm.Env()
		b.Slots = append(b.Slots, func(board *pc.Machine) (string, dev.Device, error) {
			if cfg.Model == "ne2k_isa" {
				d := ne2000.New(ne2000.Config{Env: env, Net: k.link, MAC: cfg.MAC, IRQ: board.IRQ(cfg.IRQ)})
				board.Ports.Add(uint64(cfg.IOBase), d.Region())
				return fmt.Sprintf("isa/ne2000.%d", i), d, nil
			}
			slot := cfg.Slot
			if slot < 0 {
				slot = board.PCI.Free(2)
			}
			if slot < 0 || board.PCI.Function(slot, 0) != nil {
				return "", nil, &optError{cfg.Option, fmt.Errorf("there is no free slot on the PCI bus for it (slot %#x is taken)", slot)}
			}
			d := pciCard(cfg, env, k.link, board.PCI, slot, rom)
			if cfg.BootIndex >= 0 {
				board.BootFrom(cfg.BootIndex+1, fmt.Sprintf("/pci@i0cf8/ethernet@%x/ethernet-phy@0", slot))
			}
			return fmt.Sprintf("pci/%02x.0/%s", slot, cfg.Model), d, nil
		})
	}
	return nil
}

// pciCard makes a card on the PCI bus.
func pciCard(cfg *NIC, env dev.Env, port netdev.Port, bus *pci.Bus, slot int, rom []byte) dev.Device {
	if !cfg.OwnROM {
		id := pciIDs[cfg.Model]
		rom = pci.MatchROM(rom, id[0], id[1])
	}
	switch cfg.Model {
	case "e1000":
		return e1000.New(e1000.Config{Env: env, Net: port, MAC: cfg.MAC, Bus: bus, Device: slot, ROM: rom})
	case "rtl8139":
		return rtl8139.New(rtl8139.Config{Env: env, Net: port, MAC: cfg.MAC, Bus: bus, Device: slot, ROM: rom})
	case "ne2k_pci":
		return ne2000.New(ne2000.Config{Env: env, Net: port, MAC: cfg.MAC, Bus: bus, Device: slot, ROM: rom})
	}
	panic("BUG: no network card " + cfg.Model)
}

// pciIDs are the cards' vendors and devices, which firmware looks for in ROMs.
var pciIDs = map[string][2]uint16{"e1000": {0x8086, 0x100e}, "rtl8139": {0x10ec, 0x8139}, "ne2k_pci": {0x10ec, 0x8029}}

// cardROM reads a card's option ROM. The usual one may be missing: then
// nothing boots by it.
func (m *machine) cardROM(n *NIC) ([]byte, error) {
	if n.ROM == "" {
		return nil, nil
	}
	name := n.ROM
	if st, err := os.Stat(name); err == nil && !st.IsDir() && !filepath.IsAbs(name) && n.OwnROM {
		name = "./" + name
	}
	rom, err := (load.Search{Dirs: m.cfg.Firmware.Dirs}).Read(name, 1<<20)
	switch {
	case err != nil && !n.OwnROM:
		return nil, nil
	case err != nil:
		return nil, &optError{n.Option, fmt.Errorf("parameter 'romfile': %w", err)}
	case len(rom) < 3 || rom[0] != 0x55 || rom[1] != 0xaa:
		return nil, &optError{n.Option, fmt.Errorf("parameter 'romfile': '%s' is no option ROM: it does not begin with 55 AA", n.ROM)}
	}
	return rom, nil
}

// describe is a line about a network in "info network".
func (m *machine) describe(d *Netdev, b netdev.Backend) string {
	text := ""
	if s, ok := b.(netdev.Describer); ok {
		text = "," + s.Describe()
	}
	return fmt.Sprintf("%s: index=0,type=%s%s", d.ID, d.Type, text)
}

// infoNetwork is "info network".
func (m *machine) infoNetwork(w io.Writer) {
	nic := func(k *card) string {
		down := ""
		if !k.link.Up() {
			down = ",link=down"
		}
		return fmt.Sprintf("%s: index=0,type=nic,model=%s,macaddr=%v%s", k.name, k.cfg.Model, k.cfg.MAC, down)
	}
	for id := range 1 + m.lastHub() {
		if m.nets.hubs[id] == nil {
			continue
		}
		fmt.Fprintf(w, "hub %d\n", id)
		port := 0
		line := func(s string) { fmt.Fprintf(w, " \\ hub%dport%d: %s\n", id, port, s); port++ }
		for _, k := range m.nets.cards {
			if d := m.cfg.Netdev(k.cfg.Netdev); k.cfg.Hub == id || d != nil && d.Hub == id {
				line(nic(k))
			}
		}
		for i := range m.cfg.Netdevs {
			if d := &m.cfg.Netdevs[i]; d.Hub == id && d.Type != "hubport" {
				line(m.describe(d, m.nets.backs[d.ID]))
			} else if d.Hub == id && d.Netdev != "" {
				line(m.describe(m.cfg.Netdev(d.Netdev), m.nets.backs[d.Netdev]))
			}
		}
	}
	for _, k := range m.nets.cards {
		d := m.cfg.Netdev(k.cfg.Netdev)
		if k.cfg.Hub >= 0 || d != nil && d.Hub >= 0 {
			continue
		}
		fmt.Fprintln(w, nic(k))
		if d != nil {
			fmt.Fprintf(w, " \\ %s\n", m.describe(d, m.nets.backs[d.ID]))
		}
	}
}

func (m *machine) lastHub() (last int) {
	for id := range m.nets.hubs {
		last = max(last, id)
	}
	return last
}

// infoUsernet is "info usernet".
func (m *machine) infoUsernet(w io.Writer) {
	for i := range m.cfg.Netdevs {
		d := &m.cfg.Netdevs[i]
		if n, ok := m.nets.backs[d.ID].(*user.Network); ok {
			fmt.Fprintf(w, "Hub %d (%s):\n", d.Hub, d.ID)
			n.Info(w)
		}
	}
}

// usernet finds a user network by its id; "" is the first one.
func (m *machine) usernet(id string) (*user.Network, error) {
	for i := range m.cfg.Netdevs {
		d := &m.cfg.Netdevs[i]
		n, ok := m.nets.backs[d.ID].(*user.Network)
		switch {
		case ok && (id == "" || id == d.ID):
			return n, nil
		case id != "" && id == d.ID:
			return nil, fmt.Errorf("the network '%s' is not a user network", id)
		}
	}
	if id == "" {
		return nil, errors.New("there is no user network")
	}
	return nil, fmt.Errorf("there is no network '%s'", id)
}

// forwardArgs are "[netdev_id] rule".
func forwardArgs(a hmp.Args) (id, rule string) {
	if a.Text("arg2") != "" {
		return a.Text("arg1"), a.Text("arg2")
	}
	return "", a.Text("arg1")
}

func (m *machine) hostfwdAdd(_ io.Writer, a hmp.Args) error {
	id, rule := forwardArgs(a)
	n, err := m.usernet(id)
	if err != nil {
		return err
	}
	f, err := user.ParseForward(rule)
	if err != nil {
		return err
	}
	return n.AddForward(f)
}

func (m *machine) hostfwdRemove(w io.Writer, a hmp.Args) error {
	id, rule := forwardArgs(a)
	n, err := m.usernet(id)
	if err != nil {
		return err
	}
	f, err := user.ParseForwardHost(rule)
	if err != nil {
		return err
	}
	what := "removed"
	if !n.RemoveForward(f) {
		what = "not found"
	}
	fmt.Fprintf(w, "host forwarding rule for %s %s\n", rule, what)
	return nil
}

// setLink is "set_link": of a card, or of a network, whose card it is then.
func (m *machine) setLink(_ io.Writer, a hmp.Args) error {
	up := a.Text("up")
	if up != "on" && up != "off" {
		return fmt.Errorf("'%s' is neither 'on' nor 'off'", up)
	}
	for _, k := range m.nets.cards {
		if name := a.Text("name"); k.name == name || k.cfg.Netdev == name {
			m.vm.Do(func() { k.link.SetLink(up == "on") })
			return nil
		}
	}
	return fmt.Errorf("there is no network or network card '%s'", a.Text("name"))
}
