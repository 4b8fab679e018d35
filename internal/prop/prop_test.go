package prop

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, implied, want string }{
		{"", "type", ""},
		{"pc", "type", "type=pc"},
		{"pc,accel=tcg", "type", "type=pc,accel=tcg"},
		{"type=pc,usb=off", "type", "type=pc,usb=off"},
		{"file=a,,b,if=ide", "", "file=a,,b,if=ide"},
		{"file=a,,,if=ide", "", "file=a,,,if=ide"},
		{"socket,id=x,server,nowait", "backend", "backend=socket,id=x,server=on,nowait=on"},
		{"a=b=c", "", "a=b=c"},
		{`{"driver":"ide-hd","unit":1,"x":{"y":[true,"z"]}}`, "driver", "driver=ide-hd,unit=1,x.y.0=on,x.y.1=z"},
	} {
		l, err := Parse(c.in, c.implied)
		if err != nil || l.String() != c.want {
			t.Errorf("Parse(%q) = %q, %v; want %q", c.in, l, err, c.want)
		}
	}
	for _, bad := range []string{"=x", `{"a":`, `{"a":null}`, `{"a":1} x`, `{`} {
		if l, err := Parse(bad, "k"); err == nil {
			t.Errorf("Parse(%q) = %q, no error", bad, l)
		}
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		unit uint64
		want uint64
	}{
		{"512M", B, 512 * MiB}, {"1G", MiB, GiB}, {"128", MiB, 128 * MiB}, {"219136k", MiB, 214 * MiB},
		{"1.5G", B, 3 * GiB / 2}, {"0x1000", B, 4096}, {"0.5k", B, 512}, {"010", B, 10}, {"64m", B, 64 * MiB}, {"7b", MiB, 7},
	} {
		if v, err := Size(c.in, c.unit); err != nil || v != c.want {
			t.Errorf("Size(%q) = %d, %v; want %d", c.in, v, err, c.want)
		}
	}
	for _, bad := range []string{"", "M", "99x", "-1", "1e3", "16E", "1_0", "1/2", "nan", "99999999999999999999"} {
		if v, err := Size(bad, B); err == nil {
			t.Errorf("Size(%q) = %d, no error", bad, v)
		}
	}
}

func TestBind(t *testing.T) {
	var (
		file, iface string
		snap, wait  bool
		opt         *bool
		n           int
		size        uint64
	)
	wait = true
	var s Set
	s.String("file", &file)
	s.Enum("if", &iface, "ide", "none")
	s.Bool("snapshot", &snap)
	s.Bool("wait", &wait)
	s.OptBool("readonly", &opt)
	s.Int("index", &n, 0, 3)
	s.Size("size", &size, MiB)
	s.Ignore("cache")
	s.IgnoreOff("usb")
	s.NotYet("throttle")
	l, _ := Parse("file=x,if=none,snapshot,nowait,readonly=off,index=2,size=4,cache=none,usb=off", "")
	if err := s.Bind(l); err != nil {
		t.Fatal(err)
	}
	if file != "x" || iface != "none" || !snap || wait || opt == nil || *opt || n != 2 || size != 4*MiB {
		t.Errorf("got %q %q %v %v %v %v %v", file, iface, snap, wait, opt, n, size)
	}
	for in, want := range map[string]string{
		"fiel=x":     "invalid parameter 'fiel' (did you mean 'file'?)",
		"file":       "parameter 'file' needs a value",
		"index=4":    "parameter 'index': 4 is not in 0..3",
		"if=idee":    "parameter 'if': 'idee' is not one of ide, none (did you mean 'ide'?)",
		"snapshot=1": "parameter 'snapshot': '1' is neither 'on' nor 'off'",
		"usb=on":     "parameter 'usb': 'on' is not supported yet",
		"throttle=1": "parameter 'throttle' is not supported yet",
		"zzz=1":      "invalid parameter 'zzz'",
	} {
		l, _ := Parse(in, "")
		if err := s.Bind(l); err == nil || err.Error() != want {
			t.Errorf("Bind(%q) = %v, want %q", in, err, want)
		}
	}
	if !slices.Contains(s.Forms(), "index=<num>") {
		t.Error(s.Forms())
	}
}

func TestNearest(t *testing.T) {
	names := strings.Fields("machine monitor nographic serial cdrom snapshot m")
	for in, want := range map[string]string{
		"nographics": "nographic", "seral": "serial", "cdorm": "cdrom", "zzzzzz": "", "snap": "snapshot",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a=b,,c,d", "x")
	f.Add(`{"a":[1,{"b":2}]}`, "")
	f.Fuzz(func(t *testing.T, s, implied string) {
		l, err := Parse(s, implied)
		if err == nil {
			_ = l.String()
			l.WantsHelp(implied)
		}
		Size(s, MiB)
	})
}
