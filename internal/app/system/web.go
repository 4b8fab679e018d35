package system

import (
	"fmt"
	"io"
	"net"
	"strings"

	"rhea/internal/display/vnc"
	"rhea/internal/display/web"
)

// openWeb starts the page of -display web.
func (m *machine) openWeb() error {
	v := m.cfg.Web
	layout, err := m.layout()
	if err != nil {
		return err
	}
	media, err := m.mediaFolder(v.Media)
	if err != nil {
		return err
	}
	screen := vnc.New(vnc.Config{Screen: m.screens.screen, Input: m.screens.input, Do: m.vm.Do, Name: m.title(), Layout: layout})
	c := web.Config{Title: m.title(), Screen: m.screens.screen, VNC: screen, Machine: webMachine{m, media}, Password: v.Password, Do: m.vm.Do, Sound: m.sounds.mixers[v.Audiodev]}
	if v.PasswordSecret != "" {
		if c.Password, err = m.secret(v.PasswordSecret); err != nil {
			return err
		}
	}
	query := ""
	if c.Password == "" && !web.Loopback(v.Host) {
		c.Token = web.NewToken()
		query = "?token=" + c.Token
	}
	for _, t := range m.textConsoles() {
		c.Consoles = append(c.Consoles, web.Console{Name: consoleName(t.cfg.ID), Open: func() io.ReadWriteCloser { return t.port.Open() }})
	}
	l, err := net.Listen("tcp", net.JoinHostPort(v.Host, v.Port))
	if err != nil {
		return fmt.Errorf("could not listen: %w", reason(err))
	}
	s := web.New(c)
	m.closeLater(s)
	m.vm.Do(func() { m.screens.page = screen })
	host := v.Host
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	fmt.Fprintf(m.env.Stderr, "%s: the machine is at http://%s/%s\n", m.env.Program, net.JoinHostPort(host, port), query)
	go s.Serve(l)
	return nil
}

// consoleName is what people call a console.
func consoleName(id string) string {
	if strings.HasPrefix(id, "compat_monitor") {
		return "monitor" + strings.TrimPrefix(strings.TrimPrefix(id, "compat_monitor"), "0")
	}
	return id
}

// webMachine is the machine as the page's buttons press it.
type webMachine struct {
	m     *machine
	media *mediaFolder
}

func (w webMachine) Status() string { return w.m.vm.State().Status() }
func (w webMachine) Reset()         { w.m.vm.Reset() }
func (w webMachine) PowerDown()     { w.m.vm.PowerDown() }
func (w webMachine) Stop()          { w.m.vm.Stop() }
func (w webMachine) Cont() error    { return w.m.vm.Cont() }

func (w webMachine) Drives() []web.Drive {
	l := []web.Drive{}
	w.m.vm.Do(func() {
		for i := range w.m.cfg.Drives {
			if d := &w.m.cfg.Drives[i]; d.removable() {
				l = append(l, web.Drive{Name: driveName(d), File: d.File})
			}
		}
	})
	return l
}

func (w webMachine) Media() []string { return w.media.list() }

func (w webMachine) Change(drive, file string) error {
	d, err := w.m.removable(drive)
	if err != nil {
		return err
	}
	if file == "" {
		return w.m.ejectDrive(d, false)
	}
	if file, err = w.media.find(file); err != nil {
		return err
	}
	return w.m.changeDrive(d, file, "", "", false)
}
