package system

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rhea/internal/prop"
)

func parse(t *testing.T, line ...string) *Config {
	t.Helper()
	c, _, err := Parse("i386", line)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return c
}

// The wrong inputs a user can type get one line that names the option.
func TestWrong(t *testing.T) {
	for line, want := range map[string]string{
		"-frob":                             "-frob: invalid option (-help lists all)",
		"-nographics":                       "-nographics: invalid option (did you mean '-nographic'?)",
		"--seral stdio":                     "--seral: invalid option (did you mean '-serial'?)",
		"-m=512":                            "-m=512: invalid option (write '-m 512')",
		"-m":                                "-m: requires an argument: -m [size=]megs",
		"-m 99x":                            "-m 99x: parameter 'size': not a size: a number with an optional suffix b, k, M, G, T, P or E is expected",
		"-m 512k":                           "-m 512k: 512k is too little: a PC needs at least 1M",
		"-m 100G":                           "-m 100G: 100G is too much: a 32-bit processor addresses at most 64G",
		"-m 1G,slots=2":                     "-m 1G,slots=2: memory hot-plug (slots, maxmem) is not supported yet",
		"-M isapc -m 4G":                    "-m: an ISA PC has room for at most 3584M of memory",
		"-smp 2":                            "-smp 2: 2 processors are not supported yet; use -smp 1",
		"-smp cpus=1,cores=x":               "-smp cpus=1,cores=x: parameter 'cores': 'x' is not a number",
		"-M pcc":                            "-M pcc: unsupported machine type 'pcc' (did you mean 'pc'?); -machine help lists them",
		"-machine q35":                      "-machine q35: the machine 'q35' is not supported yet; -machine help lists those that are",
		"-M pc,apci=off":                    "-M pc,apci=off: invalid parameter 'apci' (did you mean 'acpi'?)",
		"-M pc,usb=on":                      "-M pc,usb=on: parameter 'usb': 'on' is not supported yet",
		"-accel kvm":                        "the accelerator 'kvm' is not supported yet; leave it out, or use -accel tcg",
		"-accel tgc":                        "-accel tgc: invalid accelerator 'tgc' (did you mean 'tcg'?); -accel help lists them",
		"-cpu pentium5":                     "-cpu pentium5: unable to find CPU model 'pentium5' (did you mean 'pentium'?); -cpu help lists them",
		"-cpu Haswell":                      "-cpu Haswell: the processor 'Haswell' has 64 bits: start qemu-system-x86_64, or rhea system -target x86_64",
		"-cpu 486,+vmx":                     "-cpu 486,+vmx: CPU model \"486,+vmx\": feature \"vmx\" is not built",
		"-hda":                              "-hda: requires an argument: -hda file",
		"-hda a -hda b":                     "-hda b: drive with bus=0, unit=0 (index=0) exists",
		"-drive fiel=x":                     "-drive fiel=x: invalid parameter 'fiel' (did you mean 'file'?)",
		"-drive if=ide":                     "-drive if=ide: parameter 'file' is missing",
		"-drive file=x,if=virtio":           "-drive file=x,if=virtio: parameter 'if': the interface 'virtio' is not supported yet; use if=ide",
		"-drive file=x,format=vmdk":         "-drive file=x,format=vmdk: parameter 'format': the format 'vmdk' is not supported yet; 'qemu-img convert -O raw' makes a raw image of it",
		"-drive file=x,index=4":             "-drive file=x,index=4: there is no ide bus 2 (at most 1)",
		"-drive file=x,unit=2":              "-drive file=x,unit=2: unit 2 is too big (max is 1)",
		"-drive file=x,if=none":             "-drive file=x,if=none: if=none needs an id for -device to name",
		"-device ide-hd,drive=x":            "-device ide-hd,drive=x: no -drive or -blockdev has the id 'x'",
		"-device e1000e":                    "-device e1000e: the device 'e1000e' is not supported yet; -device help lists those that are",
		"-device e1000,netdev=x":            "-device e1000,netdev=x: no -netdev has the id 'x'",
		"-device e1000,mac=1:2":             "-device e1000,mac=1:2: parameter 'mac': '1:2' is not an Ethernet address such as 52:54:00:12:34:56",
		"-device e1000,addr=40":             "-device e1000,addr=40: parameter 'addr': '40' is not a slot of the PCI bus (0 to 1f)",
		"-M isapc -device e1000":            "-device e1000: e1000 is a PCI card, and an isapc has no PCI bus; use ne2k_isa",
		"-netdev user":                      "-netdev user: parameter 'id' is missing",
		"-netdev usre,id=n":                 "-netdev usre,id=n: 'usre' is not a type of network (did you mean 'user'?); -netdev help lists them",
		"-netdev vde,id=n":                  "-netdev vde,id=n: the network 'vde' is not supported yet; -netdev help lists those that are",
		"-netdev user,id=n,smb=/x":          "-netdev user,id=n,smb=/x: parameter 'smb' is not supported yet",
		"-netdev user,id=n,net=10.0.2":      "-netdev user,id=n,net=10.0.2: parameter 'net': '10.0.2' is not a network such as 10.0.2.0/24",
		"-netdev user,id=n,hostfwd=tcp::22": "-netdev user,id=n,hostfwd=tcp::22: parameter 'hostfwd': 'tcp::22' has no '-' between host and guest: [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport",
		"-netdev user,id=n,guestfwd=tcp:10.0.2.9:1-x":                       "-netdev user,id=n,guestfwd=tcp:10.0.2.9:1-x: parameter 'guestfwd': 'x' is not chardev:id, cmd:command, tcp:host:port or unix:path",
		"-netdev socket,id=n":                                               "-netdev socket,id=n: one of listen, connect, mcast, udp and fd is needed",
		"-netdev socket,id=n,listen=x":                                      "-netdev socket,id=n,listen=x: parameter 'listen': 'x' is not host:port",
		"-netdev stream,id=n":                                               "-netdev stream,id=n: an address is needed: addr.type=inet, unix or fd and what belongs to it",
		"-netdev hubport,id=n":                                              "-netdev hubport,id=n: parameter 'hubid' is missing",
		"-netdev user,id=n -netdev user,id=n":                               "-netdev user,id=n: the id 'n' was given twice",
		"-netdev user,id=n -device e1000,netdev=n -device rtl8139,netdev=n": "-device rtl8139,netdev=n: the network 'n' is in use by -device e1000,netdev=n; -netdev hubport joins several",
		"-net nic,model=ne2k":                                               "-net nic,model=ne2k: parameter 'model': 'ne2k' is not a network card (did you mean 'ne2k_pci'?); -net nic,model=help lists them",
		"-nic user,model=virtio-net-pci":                                    "-nic user,model=virtio-net-pci: parameter 'model': the network card 'virtio-net-pci' is not supported yet; -net nic,model=help lists those that are",
		"-object filter-dump,id=d,netdev=n,file=f":                          "-object filter-dump,id=d,netdev=n,file=f: no -netdev has the id 'n'",
		"-device isa-debug-exti":                                            "-device isa-debug-exti: 'isa-debug-exti' is not a valid device model name (did you mean 'isa-debug-exit'?); -device help lists them",
		"-device isa-debug-exit,base=5":                                     "-device isa-debug-exit,base=5: invalid parameter 'base'",
		"-boot x":                                                           "-boot x: parameter 'order': invalid boot device 'x' for PC (a floppy, c disk, d CD-ROM, n network)",
		"-boot order=cc":                                                    "-boot order=cc: parameter 'order': boot device 'c' was given twice",
		"-initrd x":                                                         "-initrd: is only allowed with -kernel",
		"-append x":                                                         "-append: is only allowed with -kernel",
		"-vga vmware":                                                       "-vga vmware: the display adapter 'vmware' is not supported yet; use -vga std",
		"-vga sdt":                                                          "-vga sdt: unknown vga type 'sdt' (did you mean 'std'?); -vga help lists them",
		"-vnc 0":                                                            "-vnc 0: no display number in '0': -vnc 127.0.0.1:0",
		"-vnc :70000":                                                       "-vnc :70000: '70000' is not the number of a display",
		"-vnc :0,pasword":                                                   "-vnc :0,pasword: invalid parameter 'pasword' (did you mean 'password'?)",
		"-vnc :0,websocket=x":                                               "-vnc :0,websocket=x: parameter 'websocket': 'x' is not a port",
		"-vnc :0,display=x":                                                 "-vnc :0,display=x: there is no display adapter with the id 'x'",
		"-vnc :0,sasl":                                                      "-vnc :0,sasl: parameter 'sasl' is not supported yet",
		"-vnc :0,power-control=x":                                           "-vnc :0,power-control=x: parameter 'power-control': 'x' is neither 'on' nor 'off'",
		"-vnc :0,head=1":                                                    "-vnc :0,head=1: parameter 'head': display adapters have one head, head=0",
		"-vnc :0,lossy=on,non-adaptive=off":                                 "-vnc :0,lossy=on,non-adaptive=off: parameter 'non-adaptive': encodings that adapt are not supported yet; leave it out or say non-adaptive=on",
		"-vnc :0,audiodev=x":                                                "-vnc :0,audiodev=x: no -audiodev has the id 'x'",
		"-serial vc:9x9":                                                    "-serial vc:9x9: '9x9' is not the size of a console, such as vc:80Cx24C or vc:800x600",
		"-chardev vc,id=a,rows=1":                                           "-chardev vc,id=a,rows=1: parameter 'rows': 1 is not in 2..200",
		"-vnc unix:":                                                        "-vnc unix:: the path of a unix socket has 1 to 107 characters",
		"-display web=8080":                                                 "-display web=8080: '8080' is no address: -display web=127.0.0.1:8080",
		"-display web=:x":                                                   "-display web=:x: 'x' is not a port: -display web=127.0.0.1:8080",
		"-k ../x":                                                           "-k ../x: '../x' is not the name of a keyboard layout, such as en-us or de",
		"-object secrt,id=a":                                                "-object secrt,id=a: the object type 'secrt' is not supported yet",
		"-object secret,data=x":                                             "-object secret,data=x: parameter 'id': '' is not an identifier (a letter, then letters, digits, '-', '.', '_')",
		"-net usr":                                                          "-net usr: 'usr' is not a type of network (did you mean 'user'?); -netdev help lists them",
		"-usb":                                                              "-usb is not supported yet",
		"-enable-kvm":                                                       "-enable-kvm is not supported yet: leave it out",
		"-tftp x":                                                           "-tftp is not supported: use -netdev user,tftp=dir",
		"-serial studio":                                                    "-serial studio: 'studio' is not a valid character device (did you mean 'stdio'?); -chardev help lists the back ends",
		"-serial tcp:4444":                                                  "-serial tcp:4444: '4444' has no port: tcp:host:port",
		"-serial tcp::x":                                                    "-serial tcp::x: 'x' is not a port number",
		"-serial chardev:x":                                                 "-serial chardev:x: no -chardev has the id 'x'",
		"-serial stdio -monitor stdio":                                      "-monitor stdio: standard input and output are in use by -serial stdio; 'mon:stdio' shares them with the monitor",
		"-chardev stdio":                                                    "-chardev stdio: parameter 'id' is missing",
		"-chardev sockte,id=x":                                              "-chardev sockte,id=x: 'sockte' is not a valid char driver name (did you mean 'socket'?); -chardev help lists them",
		"-chardev socket,id=x":                                              "-chardev socket,id=x: a path, a port or an fd is needed",
		"-chardev socket,id=x,prot=1":                                       "-chardev socket,id=x,prot=1: invalid parameter 'prot' (did you mean 'port'?)",
		"-chardev ringbuf,id=x,size=3":                                      "-chardev ringbuf,id=x,size=3: the size must be a power of two, at most 1G",
		"-mon x":                                                            "-mon x: no -chardev has the id 'x'",
		"-d intt":                                                           "-d intt: unknown log item 'intt'; '-d help' lists them",
		"-rtc base=yesterday":                                               "-rtc base=yesterday: parameter 'base': invalid date 'yesterday'; valid are '2006-06-17T16:01:21' and '2006-06-17'",
		"-smbios type=1,serail=x":                                           "-smbios type=1,serail=x: invalid parameter 'serail' (did you mean 'serial'?)",
		"-smbios type=5":                                                    "-smbios type=5: parameter 'type': '5' is not a type of SMBIOS tables that can be given: 0, 1, 3, 11",
		"-smbios type=17,asset=x":                                           "-smbios type=17,asset=x: type=17 is not supported yet; 0, 1, 3 and 11 are",
		"-smbios type=1,uuid=1":                                             "-smbios type=1,uuid=1: parameter 'uuid': '1' is not a UUID",
		"-smbios serial=x":                                                  "-smbios serial=x: parameter 'type' is missing",
		"-smbios file=x":                                                    "-smbios file=x: parameter 'file' is not supported yet",
		"-drive file=x,discard=maybe":                                       "-drive file=x,discard=maybe: parameter 'discard': 'maybe' is not one of ignore, off, unmap, on",
		"-drive file=x,detect-zeroes=unmap":                                 "-drive file=x,detect-zeroes=unmap: setting detect-zeroes to unmap is not allowed without setting discard operation to unmap",
		"-serial udp:1":                                                     "-serial udp:1: 'udp:1' is not udp:[host]:port[@[localhost]:localport]",
		"-serial udp::1@2":                                                  "-serial udp::1@2: 'udp::1@2' is not udp:[host]:port[@[localhost]:localport]",
		"-serial udp:a:b":                                                   "-serial udp:a:b: 'b' is not a port number",
		"-chardev udp,id=a":                                                 "-chardev udp,id=a: parameter 'port' is missing",
		"-chardev udp,id=a,port=1,localport=x":                              "-chardev udp,id=a,port=1,localport=x: 'x' is not a port number",
		"-uuid 123":                                                         "-uuid 123: '123' is not a UUID",
		"-fw_cfg opt/x":                                                     "-fw_cfg opt/x: exactly one of 'file' and 'string' is needed",
		"-daemonize":                                                        "-daemonize is not supported yet: use your shell's '&' with -display none",
		"-qmp stdio":                                                        "-qmp is not supported yet",
		"-display gtk":                                                      "-display gtk: the display 'gtk' is not supported yet; use -vnc 127.0.0.1:0 or -nographic",
		"-loadvm x":                                                         "-loadvm is not supported yet",
		`-device {"driver":"VGA"`:                                           `-device {"driver":"VGA": the JSON object is not complete`,
		"-chardev stdio,id=s -serial chardev:s -monitor chardev:s": "-chardev stdio,id=s: the character device 's' has 2 users; give it mux=on to share it",
	} {
		_, _, err := Parse("i386", strings.Fields(line))
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got  %v\n want %s", line, err, want)
		}
	}
}

func TestX8664(t *testing.T) {
	if c, _, err := Parse("x86_64", nil); err != nil || c.CPU.Model != "Nehalem" {
		t.Error(c, err)
	}
	if c, _, err := Parse("i386", []string{"-cpu", "Haswell,-smep", "-target", "x86_64"}); err != nil || c.CPU.Model != "Haswell,-smep" || c.Target != "x86_64" {
		t.Error(c, err)
	}
	if _, _, err := Parse("i386", []string{"-cpu", "Haswell"}); err == nil || !strings.Contains(err.Error(), "-target x86_64") {
		t.Error(err)
	}
	if c, _, err := Parse("x86_64", []string{"-cpu", "pentium3"}); err != nil || c.CPU.Model != "pentium3" {
		t.Error(c, err)
	}
	if _, err := Target("qemu-system-arm"); err == nil {
		t.Error("qemu-system-arm was taken")
	}
}

func TestDrives(t *testing.T) {
	type place struct {
		File      string
		If        string
		Bus, Unit int
		CD, RO    bool
	}
	for _, c := range []struct {
		line string
		want []place
	}{
		{"", []place{{"", "ide", 1, 0, true, true}, {"", "floppy", 0, 0, false, false}}},
		{"disk.img", []place{{"disk.img", "ide", 0, 0, false, false}, {"", "ide", 1, 0, true, true}, {"", "floppy", 0, 0, false, false}}},
		{"-nodefaults --hdd x", []place{{"x", "ide", 1, 1, false, false}}},
		{"-cdrom a.iso -hdb b", []place{{"a.iso", "ide", 1, 0, true, true}, {"b", "ide", 0, 1, false, false}, {"", "floppy", 0, 0, false, false}}},
		{"-drive file=a,,b -drive file=c -drive file=d,media=cdrom,index=0",
			[]place{{"d", "ide", 0, 0, true, true}, {"a,b", "ide", 0, 1, false, false}, {"c", "ide", 1, 0, false, false}, {"", "floppy", 0, 0, false, false}}},
		{"-nodefaults -drive if=none,id=x,file=f -device ide-hd,drive=x,bus=ide.1,unit=1", []place{{"f", "ide", 1, 1, false, false}}},
		{"-nodefaults -drive if=none,id=x,file=f -device ide-cd,drive=x", []place{{"f", "ide", 0, 0, true, true}}},
		{"-fda f -nodefaults", []place{{"f", "floppy", 0, 0, false, false}}},
		{"-fdb f", []place{{"f", "floppy", 0, 1, false, false}, {"", "ide", 1, 0, true, true}, {"", "floppy", 0, 0, false, false}}},
		{"-drive if=floppy,file=f,readonly=on -drive if=floppy -cdrom c", []place{{"c", "ide", 1, 0, true, true}, {"f", "floppy", 0, 0, false, true},
			{"", "floppy", 0, 1, false, false}}},
		{"-nodefaults -drive if=none,id=x,file=f -device floppy,drive=x,unit=1,drive-type=144", []place{{"f", "floppy", 0, 1, false, false}}},
		{"-device floppy -device ide-cd", []place{{"", "floppy", 0, 0, false, false}, {"", "ide", 0, 0, true, true}, {"", "ide", 1, 0, true, true}}},
		{`-nodefaults -blockdev {"driver":"file","filename":"g","node-name":"n0","read-only":true} -blockdev {"node-name":"n1","driver":"raw","file":"n0"} -device {"driver":"ide-hd","drive":"n1","bus":"ide.0","unit":1,"bootindex":1,"id":"hd"}`,
			[]place{{"g", "ide", 0, 1, false, true}}},
	} {
		var got []place
		for _, d := range parse(t, strings.Fields(c.line)...).Drives {
			got = append(got, place{d.File, d.Interface, d.Bus, d.Unit, d.CDROM, d.ReadOnly})
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s\n%s", c.line, diff)
		}
	}
	if d := parse(t, "-snapshot", "-hda", "x").Drives[0]; !d.Snapshot {
		t.Error("-snapshot has no effect")
	}
	if d := parse(t, "-snapshot", "-drive", "file=x,snapshot=off,cache=none,werror=report").Drives[0]; d.Snapshot || d.Cache != (Cache{Direct: true}) || d.WError != "report" {
		t.Error(d)
	}
}

// cache= is three switches, which -blockdev and -device have one by one.
func TestCacheModes(t *testing.T) {
	for line, want := range map[string]string{
		"-hda x":                                     "writeback",
		"-drive file=x,cache=off":                    "writeback, direct",
		"-drive file=x,cache=none":                   "writeback, direct",
		"-drive file=x,cache=writethrough":           "writethrough",
		"-drive file=x,cache=directsync":             "writethrough, direct",
		"-drive file=x,cache=unsafe":                 "writeback, ignore flushes",
		"-drive file=x,cache=directsync,snapshot=on": "writeback, ignore flushes",
		"-drive file=x,if=none,id=d,cache=writethrough -device ide-hd,drive=d":                                          "writethrough",
		"-drive file=x,if=none,id=d,cache=writethrough -device ide-hd,drive=d,write-cache=on":                           "writeback",
		"-drive file=x,if=none,id=d -device ide-hd,drive=d,write-cache=off":                                             "writethrough",
		"-blockdev file,node-name=d,filename=x,cache.direct=on,cache.no-flush=on -device ide-hd,drive=d":                "writeback, direct, ignore flushes",
		"-blockdev file,node-name=f,filename=x,cache.direct=on -blockdev raw,node-name=d,file=f -device ide-hd,drive=d": "writeback, direct",
	} {
		if got := parse(t, strings.Fields(line)...).Drives[0].Cache.String(); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestChars(t *testing.T) {
	for _, c := range []struct {
		line                       string
		serials, parallels, chards []string
		monitors                   []string
	}{
		{"", []string{"serial0"}, []string{"parallel0"}, []string{"serial0:vc", "parallel0:vc", "compat_monitor0:vc"}, []string{"compat_monitor0"}},
		{"-nographic", []string{"serial0"}, []string{"parallel0"}, []string{"serial0:stdio:mux", "parallel0:null"}, []string{"serial0"}},
		{"-nographic -serial none", []string{""}, []string{"parallel0"}, []string{"parallel0:null", "compat_monitor0:stdio"}, []string{"compat_monitor0"}},
		{"-nographic -monitor none -parallel none", []string{"serial0"}, []string{""}, []string{"serial0:stdio"}, nil},
		{"-nodefaults", nil, nil, nil, nil},
		{"-nodefaults -serial mon:stdio", []string{"serial0"}, nil, []string{"serial0:stdio:mux"}, []string{"serial0"}},
		{"-nodefaults -chardev stdio,id=console,signal=off,mux=on -serial chardev:console -mon chardev=console", []string{"console"}, nil,
			[]string{"console:stdio:mux"}, []string{"console"}},
		{"-nodefaults -serial chardev:s -chardev socket,id=s,path=/tmp/x,server=on,wait=off,logfile=/tmp/l", []string{"s"}, nil, []string{"s:socket"}, nil},
		{"-nodefaults -device isa-serial,chardev=q -chardev null,id=q", []string{"q"}, nil, []string{"q:null"}, nil},
		{"-nodefaults -serial null -serial file:/tmp/x -debugcon stdio", []string{"serial0", "serial1"}, nil,
			[]string{"serial0:null", "serial1:file", "debugcon:stdio"}, nil},
	} {
		cfg := parse(t, strings.Fields(c.line)...)
		var chards, mons []string
		for _, d := range cfg.Chardevs {
			s := d.ID + ":" + d.Backend
			if d.Mux {
				s += ":mux"
			}
			chards = append(chards, s)
		}
		for _, m := range cfg.Monitors {
			mons = append(mons, m.Chardev)
		}
		for _, d := range []string{cmp.Diff(c.serials, cfg.Serials), cmp.Diff(c.parallels, cfg.Parallels), cmp.Diff(c.chards, chards), cmp.Diff(c.monitors, mons)} {
			if d != "" {
				t.Errorf("%s\n%s", c.line, d)
			}
		}
	}
	c := parse(t, "-serial", "telnet:[::1]:4444,server,nowait", "-serial", "unix:/tmp/a,,b,server=on,wait=off")
	if s := c.Chardevs[0]; s.Host != "::1" || s.Port != "4444" || !s.Server || s.Wait || !s.Telnet {
		t.Errorf("%+v", s)
	}
	if s := c.Chardevs[1]; s.Path != "/tmp/a,b" || !s.Server || s.Wait {
		t.Errorf("%+v", s)
	}
	if s := parse(t, "-nographic").Chardevs[0]; s.Signal {
		t.Error("Ctrl-C would not reach the guest")
	}
	if s := parse(t, "-serial", "stdio").Chardevs[0]; !s.Signal {
		t.Error("Ctrl-C would reach the guest")
	}
}

func TestValues(t *testing.T) {
	c := parse(t, strings.Fields("-name guest=vm1,debug-threads=on -m size=219136k -rtc base=2006-06-17T16:01:21,driftfix=slew -boot order=dc,once=d,menu=on,splash-time=500,strict=on "+
		"-no-reboot -no-shutdown -S -machine type=pc,accel=kvm:tcg -accel tcg,tb-size=64,thread=multi -cpu pentium3,-sse,check -smp cpus=1,sockets=1,cores=1 "+
		"-device isa-debug-exit,iobase=0xf4,iosize=0x04 -echr 2 -d int,cpu_reset,nochain -D /tmp/log -L /fw -uuid 12345678-1234-1234-1234-123456789abc "+
		"-no-acpi -no-fd-bootchk -k de -msg timestamp=on -no-user-config -overcommit mem-lock=off -vga none -display none -net none -vnc none")...)
	if c.Name != "vm1" || c.Memory != 214*prop.MiB || c.RTC.Base.Hour() != 16 || c.RTC.DriftFix != "slew" || c.Boot.Order != "dc" ||
		c.Boot.Once != "d" || !c.Boot.Menu || c.Boot.SplashTime != 500 || !c.Boot.Strict || !c.Run.NoReboot || !c.Run.NoShutdown || !c.Run.Paused ||
		c.Accel.Name != "tcg" || c.Accel.TBSize != 64*prop.MiB || c.CPU.Model != "pentium3,-sse" || c.DebugExit == nil || c.DebugExit.IOBase != 0xf4 ||
		c.DebugExit.IOSize != 4 || c.Run.Escape != 2 || c.Log.File != "/tmp/log" || !c.HasUUID || c.UUID[0] != 0x12 || c.Machine.ACPI || c.Machine.FDBootChk || c.VGA != "none" {
		t.Errorf("%+v", c)
	}
	if c := parse(t, "-action", "reboot=shutdown,shutdown=pause"); !c.Run.NoReboot || !c.Run.NoShutdown {
		t.Errorf("%+v", c.Run)
	}
	if c := parse(t, "-M", "pc-i440fx-7.2,usb=off,dump-guest-core=off,acpi=off"); c.Machine.Type != "pc" || c.Machine.ACPI {
		t.Errorf("%+v", c.Machine)
	}
	if c := parse(t, "-accel", "kvm", "-accel", "interp"); c.Accel.Name != "interp" {
		t.Errorf("%+v", c.Accel)
	}
}

func TestHelp(t *testing.T) {
	for line, want := range map[string]string{
		"--version":               "rhea 0.1\n",
		"-machine help":           "isapc                ISA-only PC\n",
		"-M none -accel help":     "tcg\n",
		"-M none -netdev help":    "Available netdev backend types:\n",
		"-cpu help -machine pc":   "x86 pentium3",
		"-device help":            `name "isa-debug-exit", bus ISA`,
		"-device ide-hd,help":     "bootindex=<num>",
		"-chardev help":           "socket\n",
		"-d help":                 "guest_errors",
		"-L help":                 "/usr/share/seabios\n",
		"-drive help":             "file=<str>",
		"-vga ?":                  "std ",
		"-help":                   "-cdrom file",
		"-serial help":            "stdio\n",
		"-display help":           "none ",
		"-L /my -L help -frobber": "/my\n",
	} {
		var out, errs bytes.Buffer
		code := Main(Env{Program: "rhea", Stdout: &out, Stderr: &errs}, strings.Fields(line))
		if code != 0 || !strings.Contains(out.String(), want) || errs.Len() > 0 {
			t.Errorf("%s: status %d, %q\n%s", line, code, errs.String(), out.String())
		}
	}
	var out bytes.Buffer
	Main(Env{Program: "qemu-system-i386", Stdout: &out}, []string{"-version"})
	if out.String() != "QEMU emulator version 9.0.0 (rhea 0.1)\n" {
		t.Errorf("%q", out.String())
	}
}

// Every option of the table is usable: names are unique, help is there,
// what is refused is refused by name.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Options() {
		if seen[o.Name] {
			t.Errorf("-%s is there twice", o.Name)
		}
		seen[o.Name] = true
		if o.Help == "" {
			t.Errorf("-%s has no help", o.Name)
		}
		if o.Status == Built && o.Set == nil {
			t.Errorf("-%s does nothing", o.Name)
		}
		if o.Status == NotYet || o.Status == Gone {
			_, _, err := Parse("i386", []string{"-" + o.Name, "x"})
			if err == nil || !strings.Contains(err.Error(), "-"+o.Name) {
				t.Errorf("-%s: %v", o.Name, err)
			}
		}
	}
	// The options of SURFACE.md.
	for _, n := range strings.Fields(`h M cpu smp fda fdb hda hdb hdc hdd cdrom drive pflash sd mtdblock boot snapshot m k name uuid nographic curses
		sdl full-screen vga vnc net kernel append initrd serial parallel monitor pidfile S s d L bios enable-kvm no-reboot no-shutdown loadvm daemonize
		option-rom prom-env icount echr incoming usb usbdevice semihosting g tftp bootp smb redir localtime startdate rtc-td-hack hdachs no-quit show-cursor
		tb-size soundhw audio-help no-frame alt-grab bt kernel-kqemu no-kqemu virtioconsole portrait clock p old-param win2k-hack no-fd-bootchk no-acpi
		no-hpet acpitable chroot runas version numa balloon smbios singlestep gdb watchdog watchdog-action enable-kqemu device netdev chardev mon qmp global
		rtc readconfig writeconfig set nodefaults machine accel nic blockdev object fsdev virtfs tpmdev audiodev fw_cfg action no-user-config overcommit
		sandbox msg dtb qtest qtest-log display`) {
		if !seen[n] {
			t.Errorf("-%s is missing", n)
		}
	}
}

func TestImages(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := file("good", make([]byte, 1024))
	for _, c := range []struct{ file, want string }{
		{good, ""},
		{filepath.Join(dir, "none"), "-hda X: could not open 'X': no such file or directory"},
		{dir, "-hda X: could not open 'X': is a directory"},
		{file("empty", nil), "-hda X: the image 'X' is empty"},
		{file("small", make([]byte, 100)), "-hda X: the image 'X' has only 100 bytes, less than a sector"},
		{file("q", append([]byte("KDMV"), make([]byte, 1000)...)), "-hda X: 'X' is a vmdk image, which is not supported yet; " +
			"'qemu-img convert -O raw' makes a raw image of it (format=raw takes it as it is)"},
	} {
		err := checkImage(&Drive{File: c.file, Option: "-hda " + c.file})
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), c.file, "X")
		}
		if got != c.want {
			t.Errorf("%s: %q", c.file, got)
		}
	}
	if err := checkKernel("k", bytes.NewReader(make([]byte, 4096))); err == nil {
		t.Error("zeroes are a kernel")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-drive file=x,if=none,id=d -device ide-hd,drive=d")
	f.Add("-nographic -chardev socket,id=x,port=1 -mon x")
	f.Add(`-device {"driver":"VGA"}`)
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		if slices.Contains(args, "") {
			return
		}
		_, _, err := Parse("i386", args)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %q", line, err)
		}
	})
}
