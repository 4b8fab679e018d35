package system

import (
	"fmt"
	"io"
	"slices"
	"time"

	"rhea/internal/chardev"
	"rhea/internal/chardev/file"
	"rhea/internal/chardev/mux"
	"rhea/internal/chardev/null"
	"rhea/internal/chardev/pipe"
	"rhea/internal/chardev/pty"
	"rhea/internal/chardev/ringbuf"
	"rhea/internal/chardev/stdio"
	"rhea/internal/chardev/tcp"
	"rhea/internal/chardev/tty"
	"rhea/internal/chardev/udp"
	"rhea/internal/chardev/vc"
)

// char is an open character device.
type char struct {
	cfg   *Chardev
	port  chardev.Port
	mux   *mux.Mux // nil if it is not shared
	where func() string
}

// openChardevs opens the back ends. Those on the terminal come last: what
// waits for a client before them can be interrupted as usual.
func (m *machine) openChardevs() error {
	start := time.Now()
	list := make([]*Chardev, 0, len(m.cfg.Chardevs))
	for i := range m.cfg.Chardevs {
		list = append(list, &m.cfg.Chardevs[i])
	}
	slices.SortStableFunc(list, func(a, b *Chardev) int {
		return b2i(a.Backend == "stdio") - b2i(b.Backend == "stdio")
	})
	env := m.vm.Env()
	for _, c := range list {
		ch, err := m.openChardev(c)
		if err != nil {
			return &optError{c.Option, reason(err)}
		}
		if c.Mux {
			ch.mux = mux.New(mux.Config{
				Port: ch.port, Post: env.Post, Escape: m.cfg.Run.Escape,
				Quit:   func() { env.Power.RequestExit(0) },
				Commit: func() { go m.commit() },
				Now:    func() time.Duration { return time.Since(start) },
			})
		}
		m.chars[c.ID] = ch
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// port returns a character device for one user more; nil for no device.
func (m *machine) port(id string) chardev.Port {
	ch := m.chars[id]
	switch {
	case ch == nil:
		return nil
	case ch.mux != nil:
		return ch.mux.Front()
	}
	return ch.port
}

// charInfo is a line of "info chardev".
type charInfo struct{ Label, Filename string }

func (m *machine) charInfo() []charInfo {
	var l []charInfo
	for i := range m.cfg.Chardevs {
		c := &m.cfg.Chardevs[i]
		if ch := m.chars[c.ID]; ch != nil {
			l = append(l, charInfo{c.ID, ch.where()})
		}
	}
	return l
}

// openChardev opens one back end.
func (m *machine) openChardev(c *Chardev) (*char, error) {
	pump := chardev.PumpConfig{Post: m.vm.Env().Post}
	if c.LogFile != "" {
		f, err := file.Create(c.LogFile, c.LogAppend)
		if err != nil {
			return nil, fmt.Errorf("could not open the log file '%s': %w", c.LogFile, reason(err))
		}
		pump.Log = f
	}
	ch := &char{cfg: c, where: func() string { return c.Backend }}
	var err error
	switch c.Backend {
	case "vc":
		ch.port = vc.New(pump)
	case "null":
		if pump.Log == nil {
			ch.port = null.Port{}
			break
		}
		ch.port = chardev.NewPump(pump)
	case "stdio":
		ch.port, err = stdio.New(stdio.Config{PumpConfig: pump, In: m.env.Stdin, Out: m.env.Stdout, Signal: c.Signal})
	case "file":
		ch.port, err = file.New(file.Config{PumpConfig: pump, Path: c.Path, Append: c.Append})
	case "pipe":
		ch.port, err = pipe.New(pipe.Config{PumpConfig: pump, Path: c.Path})
	case "serial":
		ch.port, err = tty.New(tty.Config{PumpConfig: pump, Path: c.Path})
	case "ringbuf":
		ch.port = ringbuf.New(int(c.Size), pump.Post)
	case "pty":
		var p *pty.Port
		if p, err = pty.New(pty.Config{PumpConfig: pump}); err == nil {
			fmt.Fprintf(m.env.Stdout, "char device redirected to %s (label %s)\n", p.Name(), c.ID)
			ch.port, ch.where = p, func() string { return "pty:" + p.Name() }
		}
	case "socket":
		err = m.openSocket(ch, pump)
	case "udp":
		var p *udp.Port
		p, err = udp.New(udp.Config{PumpConfig: pump, Host: c.Host, Port: c.Port, LocalHost: c.LocalHost, LocalPort: c.LocalPort, IPv4: c.IPv4, IPv6: c.IPv6})
		if err == nil {
			ch.port, ch.where = p, p.Where
		}
	default:
		panic("BUG: no back end " + c.Backend)
	}
	if err != nil {
		if pump.Log != nil {
			pump.Log.Close()
		}
		if c.Path != "" && c.Backend != "socket" {
			err = fmt.Errorf("could not open '%s': %w", c.Path, reason(err))
		}
		return nil, err
	}
	if c, ok := ch.port.(io.Closer); ok {
		m.closeLater(c)
	}
	return ch, nil
}

func (m *machine) openSocket(ch *char, pump chardev.PumpConfig) error {
	c := ch.cfg
	p, err := tcp.New(tcp.Config{
		PumpConfig: pump, Path: c.Path, Host: c.Host, Port: c.Port, FD: c.FD, IPv4: c.IPv4, IPv6: c.IPv6,
		Server: c.Server, Wait: c.Wait, Telnet: c.Telnet, NoDelay: c.NoDelay, Reconnect: c.Reconnect,
		Interrupt: m.interrupted,
		Waiting: func(where string) {
			fmt.Fprintf(m.env.Stderr, "%s: QEMU waiting for connection on: %s\n", m.env.Program, where)
		},
	})
	if err == nil {
		ch.port, ch.where = p, p.Where
	}
	return err
}

// commit writes the snapshot layers to their images (Ctrl-A s).
func (m *machine) commit() {
	for _, md := range m.inserted() {
		if md.layer == nil {
			continue
		}
		if err := md.layer.Commit(); err != nil {
			fmt.Fprintf(m.env.Stderr, "%s: could not write the snapshot back: %v\n", m.env.Program, err)
		}
	}
}
