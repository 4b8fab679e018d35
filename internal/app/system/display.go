package system

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rhea/internal/display"
	"rhea/internal/display/curses"
	"rhea/internal/display/keymap"
	"rhea/internal/display/vnc"
	"rhea/internal/display/x11"
	"rhea/internal/firmware/load"
	"rhea/internal/monitor/hmp"
)

// screens is what shows the machine, and what people do to it there.
type screens struct {
	screen *display.Screen // the adapter's
	input  *display.Input
	all    *display.Switch // between that and the text consoles
	vnc    []*vncServer
	page   *vnc.Server // the one that the web page uses
}

// vncServer is a -vnc that runs.
type vncServer struct {
	cfg *VNC
	*vnc.Server
	addr net.Addr
}

// openScreens makes the picture and starts what shows it.
func (m *machine) openScreens() error {
	s := &m.screens
	s.screen = display.NewScreen(display.ScreenConfig{Do: m.vm.Do, Source: m.pc.Display, Width: 640, Height: 480})
	s.input = display.NewInput(m.vm.Env().Post, m.pc.Keyboard, m.mice()...)
	if err := m.openSwitch(); err != nil {
		return err
	}
	m.keyGap()
	for i := range m.cfg.VNC {
		if err := m.openVNC(&m.cfg.VNC[i]); err != nil {
			return inOption(m.cfg.VNC[i].Option, err)
		}
	}
	if err := m.openWindow(); err != nil {
		return err
	}
	if m.cfg.Web != nil {
		if err := m.openWeb(); err != nil {
			return inOption(m.cfg.Web.Option, err)
		}
	}
	return nil
}

// keyGap has keys come as far apart as the slowest key-delay-ms says.
func (m *machine) keyGap() {
	slowest := -1
	for i := range m.cfg.VNC {
		slowest = max(slowest, m.cfg.VNC[i].KeyDelay)
	}
	if slowest >= 0 {
		m.screens.input.SetKeyGap(time.Duration(slowest) * time.Millisecond)
	}
}

// inOption names the option that an error is in, unless it names one.
func inOption(option string, err error) error {
	if o := (*optError)(nil); errors.As(err, &o) {
		return err
	}
	return &optError{option, err}
}

// windowed reports whether there is to be a window, or the terminal's use.
func (m *machine) windowed() bool {
	d := m.cfg.Display
	return d == "curses" || d == "x11" || d == "" && os.Getenv("DISPLAY") != ""
}

// openSwitch makes what windows and VNC servers show.
func (m *machine) openSwitch() error {
	s := &m.screens
	l := []display.Head{{Screen: s.screen}}
	if m.windowed() || len(m.cfg.VNC) > 0 {
		var err error
		if l, err = m.heads(); err != nil {
			return err
		}
	}
	s.all = display.NewSwitch(s.input, l...)
	return nil
}

// openWindow opens the window of -display x11, or that of a user who has not
// asked for anything else and has an X server.
func (m *machine) openWindow() error {
	c := m.cfg
	if !m.windowed() {
		return nil
	}
	switch {
	case c.Display == "curses":
		return m.openCurses()
	case c.Display == "x11" && os.Getenv("DISPLAY") == "":
		return &optError{"-display x11", errors.New("there is no X server: DISPLAY is not set; -vnc 127.0.0.1:0 or -display web show the screen")}
	}
	w, err := x11.Open(x11.Config{
		Screen: m.screens.all, Input: m.screens.all, Do: m.vm.Do, Title: m.title(), FullScreen: c.FullScreen,
		Quit: func() { m.vm.Quit(0) },
	})
	switch {
	case err == nil:
		m.closeLater(w)
	case c.Display == "x11":
		return &optError{"-display x11", fmt.Errorf("could not open a window: %w", reason(err))}
	default:
		fmt.Fprintf(m.env.Stderr, "%s: note: could not open a window (%v); -vnc 127.0.0.1:0 shows the screen\n", m.env.Program, err)
	}
	return nil
}

// openCurses shows the text in the terminal.
func (m *machine) openCurses() error {
	fail := func(err error) error { return &optError{"-display curses", err} }
	for i := range m.cfg.Chardevs {
		if m.cfg.Chardevs[i].Backend == "stdio" {
			return fail(fmt.Errorf("the terminal is in use by %s", m.cfg.Chardevs[i].Option))
		}
	}
	t, err := curses.Open(curses.Config{Screen: m.screens.all, Input: m.screens.all, Text: m.screens.all, Select: m.screens.all.Select})
	if err != nil {
		return fail(fmt.Errorf("could not use the terminal: %w", reason(err)))
	}
	m.closeLater(t)
	return nil
}

// mice are what the guest has, by QEMU's names.
func (m *machine) mice() []display.Mouse {
	l := []display.Mouse{{Name: "QEMU PS/2 Mouse", Pointer: m.pc.Mouse}}
	if m.pc.VMMouse != nil {
		l = append(l, display.Mouse{Name: "vmmouse", Pointer: m.pc.VMMouse})
	}
	return l
}

// keyboardLEDs tells those who show them of the keyboard's lamps. It is called
// under the machine's lock.
func (m *machine) keyboardLEDs(leds uint8) {
	for _, v := range m.screens.vnc {
		v.LEDs(leds)
	}
	if m.screens.page != nil {
		m.screens.page.LEDs(leds)
	}
}

// title is what windows are called.
func (m *machine) title() string {
	if m.cfg.Name != "" {
		return "rhea (" + m.cfg.Name + ")"
	}
	return "rhea"
}

// layout finds the keyboard layout of -k among the firmware's files.
func (m *machine) layout() (*keymap.Layout, error) {
	name := m.cfg.Keyboard
	if name == "" || name == "en-us" {
		return keymap.US(), nil
	}
	dirs := load.Search{Dirs: m.cfg.Firmware.Dirs}.Path()
	l, err := keymap.Read(name, func(name string) (io.ReadCloser, error) {
		for _, d := range dirs {
			if f, err := os.Open(filepath.Join(d, "keymaps", name)); err == nil {
				return f, nil
			}
		}
		return nil, fmt.Errorf("there is no keymap '%s' in the directories that -L help lists (Debian package qemu-system-data)", name)
	})
	if err != nil {
		return nil, &optError{"-k " + name, err}
	}
	return l, nil
}

// secret is the value of -object secret,id=.
func (m *machine) secret(id string) (string, error) {
	o, err := m.cfg.object("secret", id)
	if err != nil {
		return "", err
	}
	data := o.data
	if o.file != "" {
		b, err := readFile("-object secret", o.file, 1<<16)
		if err != nil {
			return "", err
		}
		data = string(b)
	}
	if o.format == "base64" {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(data))
		if err != nil {
			return "", fmt.Errorf("the secret '%s' is no base64: %w", id, err)
		}
		data = string(b)
	}
	return data, nil
}

// serverTLS is what -object tls-creds-x509,id= says, with the names that its
// files have (QEMU's "Transport Layer Security" manual).
func (m *machine) serverTLS(id string) (*tls.Config, error) {
	o, err := m.cfg.object("tls-creds-x509", id)
	if err != nil {
		return nil, err
	}
	if o.endpoint != "server" || o.dir == "" {
		return nil, fmt.Errorf("the object '%s' needs endpoint=server and dir=", id)
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(o.dir, "server-cert.pem"), filepath.Join(o.dir, "server-key.pem"))
	if err != nil {
		return nil, fmt.Errorf("the certificate of '%s': %w", id, reason(err))
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if o.verify {
		pem, err := os.ReadFile(filepath.Join(o.dir, "ca-cert.pem"))
		if err != nil {
			return nil, fmt.Errorf("the authorities of '%s': %w", id, reason(err))
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in '%s'", filepath.Join(o.dir, "ca-cert.pem"))
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

var vncShares = map[string]vnc.Share{"allow-exclusive": vnc.AllowExclusive, "force-shared": vnc.ForceShared, "ignore": vnc.IgnoreShared}

func (m *machine) openVNC(v *VNC) error {
	layout, err := m.layout()
	if err != nil {
		return err
	}
	c := vnc.Config{
		Screen: m.screens.all, Input: m.screens.all, Do: m.vm.Do, Name: m.title(), Layout: layout,
		Auth: v.Password || v.PasswordSecret != "", Share: vncShares[v.Share], Lossy: v.Lossy, KeepLocks: !v.LockSync,
		Sound: m.sounds.mixers[v.Audiodev], Connecting: v.Connecting,
	}
	if v.PowerControl {
		c.PowerDown, c.Reset = m.vm.PowerDown, m.vm.Reset
	}
	if v.Display != "" { // that one only
		c.Screen, c.Input = m.screens.screen, m.screens.input
	}
	password := ""
	if v.PasswordSecret != "" {
		if password, err = m.secret(v.PasswordSecret); err != nil {
			return err
		}
	}
	if v.TLSCreds != "" {
		if c.TLS, err = m.serverTLS(v.TLSCreds); err != nil {
			return err
		}
	}
	s := &vncServer{cfg: v, Server: vnc.New(c)}
	s.SetPassword(password)
	m.closeLater(s)
	if v.Reverse {
		network, addr := v.network()
		conn, err := net.Dial(network, addr)
		if err != nil {
			return fmt.Errorf("could not connect: %w", reason(err))
		}
		s.addr = conn.LocalAddr()
		go s.ServeConn(conn)
	} else {
		l, err := v.listen()
		if err != nil {
			return fmt.Errorf("could not listen: %w", reason(err))
		}
		s.addr = l.Addr()
		go s.Serve(l)
	}
	if v.WebSocket > 0 {
		l, err := net.Listen(v.family(), net.JoinHostPort(v.Host, strconv.Itoa(v.WebSocket)))
		if err != nil {
			return fmt.Errorf("could not listen for websockets: %w", reason(err))
		}
		go s.ServeWeb(l)
	}
	m.vm.Do(func() { m.screens.vnc = append(m.screens.vnc, s) })
	return nil
}

// family is the network of ipv4= and ipv6=.
func (v *VNC) family() string {
	off := func(p *bool) bool { return p != nil && !*p }
	switch {
	case off(v.IPv6) || v.IPv4 != nil && *v.IPv4 && v.IPv6 == nil:
		return "tcp4"
	case off(v.IPv4) || v.IPv6 != nil && *v.IPv6 && v.IPv4 == nil:
		return "tcp6"
	}
	return "tcp"
}

func (v *VNC) network() (network, addr string) {
	if v.Unix != "" {
		return "unix", v.Unix
	}
	return v.family(), net.JoinHostPort(v.Host, strconv.Itoa(v.Port))
}

// listen tries the port and those after it.
func (v *VNC) listen() (net.Listener, error) {
	network, addr := v.network()
	if network == "unix" {
		// What an emulator that was killed has left behind.
		if c, err := net.Dial(network, addr); err == nil {
			c.Close()
			return nil, errors.New("the socket is in use")
		}
		if st, err := os.Lstat(addr); err == nil && st.Mode()&os.ModeSocket != 0 {
			os.Remove(addr)
		}
		return net.Listen(network, addr)
	}
	var first error
	for port := v.Port; port <= v.Port+v.To && port <= 65535; port++ {
		l, err := net.Listen(network, net.JoinHostPort(v.Host, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// vncInfo is "info vnc".
func (m *machine) vncInfo(w io.Writer) {
	if len(m.screens.vnc) == 0 {
		fmt.Fprintln(w, "None")
	}
	for _, s := range m.screens.vnc {
		auth, sub := s.AuthNames()
		fmt.Fprintf(w, "%s:\n", s.cfg.ID)
		if !s.cfg.Reverse {
			fmt.Fprintf(w, "  Server: %s\n    Auth: %s (Sub: %s)\n", endpoint(s.addr), auth, sub)
		}
		for _, c := range s.Clients() {
			fmt.Fprintf(w, "  Client: %s\n    x509_dname: none\n    sasl_username: none\n    Auth: %s (Sub: %s)\n", endpoint(c.Addr), c.Auth, c.TLS)
		}
		if s.cfg.Reverse {
			fmt.Fprintf(w, "  Auth: %s (Sub: %s)\n", auth, sub)
		}
	}
}

// endpoint is an address as QEMU shows it.
func endpoint(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	switch {
	case !ok:
		return a.String() + ": (unix)"
	case t.IP.To4() != nil:
		return fmt.Sprintf("%s:%d (ipv4)", t.IP, t.Port)
	}
	return fmt.Sprintf("%s:%d (ipv6)", t.IP, t.Port)
}

// setVNCPassword is "set_password vnc" and "change vnc password".
func (m *machine) setVNCPassword(password string) error {
	done := false
	for _, s := range m.screens.vnc {
		if s.Auth() {
			s.SetPassword(password)
			done = true
		}
	}
	if !done {
		return errors.New("no VNC server asks for a password: start it with -vnc DISPLAY,password=on")
	}
	return nil
}

// setPassword is the monitor's "set_password".
func (m *machine) setPassword(_ io.Writer, a hmp.Args) error {
	switch a.Text("protocol") {
	case "vnc":
	case "spice":
		return errors.New("SPICE is not supported yet")
	default:
		return fmt.Errorf("'%s' is not one of vnc, spice", a.Text("protocol"))
	}
	switch c := a.Text("connected"); c {
	case "", "keep":
	default:
		return fmt.Errorf("'%s' is not supported: VNC has 'keep'", c)
	}
	return m.setVNCPassword(a.Text("password"))
}

// changeVNC is "change vnc password SECRET".
func (m *machine) changeVNC(what, secret string) error {
	switch {
	case what != "password" && what != "passwd":
		return errors.New("only the password can be changed: change vnc password SECRET")
	case secret == "":
		return errors.New("the password is missing: change vnc password SECRET")
	}
	return m.setVNCPassword(secret)
}

// mouseInfo is "info mice", under the machine's lock.
func (m *machine) mouseInfo(w io.Writer) {
	in := m.screens.input
	cur := in.Current()
	for i := range in.Mice() {
		mouse := &in.Mice()[i]
		mark, note := " ", ""
		if mouse == cur {
			mark = "*"
		}
		if t, ok := mouse.Pointer.(display.Tablet); ok && t.Absolute() {
			note = " (absolute)"
		}
		fmt.Fprintf(w, "%s Mouse #%d: %s%s\n", mark, i, mouse.Name, note)
	}
	if cur == nil {
		fmt.Fprintln(w, "No mouse devices connected")
	}
}

// chooseMouse is the monitor's "mouse_set".
func (m *machine) chooseMouse(_ io.Writer, a hmp.Args) error {
	n, ok := int(a.Number("index")), false
	m.vm.Do(func() { ok = m.screens.input.Choose(n) })
	if !ok {
		return fmt.Errorf("there is no mouse #%d; info mice lists them", n)
	}
	return nil
}
