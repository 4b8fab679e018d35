package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// session is one run of an emulator, which gives one or more rows.
type session struct {
	name  string
	rows  []row
	needs func(*bench) error
	run   func(*bench, emulator) (map[string]outcome, error)
	// native runs what of it can be run without an emulator.
	native func(*bench) (map[string]outcome, error)
}

// row of the table.
type row struct {
	name, label string
	kind        kind
}

func rowsOf(steps []step) (rows []row) {
	for _, s := range steps {
		if s.label != "" {
			rows = append(rows, row{s.name, s.label, s.kind})
		}
	}
	return rows
}

func sessions() []session {
	return []session{
		{name: "boot", rows: []row{{"boot", "boot of the small i386 kernel to GUEST-KIT OK", system}}, needs: noMore, run: runBoot},
		{name: "installer", rows: []row{{"installer", "Debian 12 i386 installer to its first dialog", system}}, needs: needInstaller, run: runInstaller},
		{name: "gkbench", rows: rowsOf(gkbenchSteps()), needs: noMore, run: runSteps(256, gkbenchSteps(), smallTree, nil), native: nativeSteps(gkbenchSteps(), smallTree)},
		{name: "work", rows: rowsOf(workSteps()), needs: needPackages, run: runSteps(768, workSteps(), fullTree, nil), native: nativeSteps(workSteps(), fullTree)},
		{name: "disk", rows: rowsOf(diskSteps()), needs: noMore, run: runDisk},
		{name: "network", rows: netRows(), needs: noMore, run: runNet},
		{name: "sound", rows: rowsOf(soundSteps()), needs: noMore, run: runSound},
		{name: "start", rows: []row{{"start", "start of the process to the first guest instruction", device}}, needs: noMore, run: runStart},
		{name: "user", rows: userTable(userRows()), needs: needUser, run: runUser, native: runUserNative},
		{name: "user64", rows: userTable(userRows64()), needs: needUser64, run: runUser64, native: runUser64Native},
		{name: "idle", needs: noMore, run: runIdle},
		{name: "screen", needs: noMore, run: runScreen},
	}
}

// What is no row of the table: one number an emulator.
const (
	idleCPU  = "CPU of an idle guest at its shell prompt, % of a core"
	overhead = "memory above guest RAM at the installer's first dialog, MiB"
)

const (
	installer    = "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/"
	installerRAM = 512 // MiB
)

func noMore(*bench) error         { return nil }
func needPackages(b *bench) error { _, err := fullTree(b); return err }

func needInstaller(*bench) error {
	if _, err := os.Stat(installer + "linux"); err != nil {
		return errors.New("no Debian installer: install the package debian-installer-12-netboot-i386")
	}
	return nil
}

func (b *bench) machine(mib int, more ...string) []string {
	return append([]string{"-cpu", b.cpu, "-m", fmt.Sprint(mib), "-nographic", "-no-reboot"}, more...)
}

func runBoot(b *bench, e emulator) (map[string]outcome, error) {
	p, err := b.start(e, b.machine(128, "-kernel", b.guest("bzImage-i386-486"), "-initrd", b.guest("initramfs-i386.gz"), "-append", "console=ttyS0 gk=off")...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	at, err := p.expect("GUEST-KIT OK", b.limit())
	if err != nil {
		return nil, err
	}
	return map[string]outcome{"boot": {used: at}}, p.wait(b.limit())
}

func runInstaller(b *bench, e emulator) (map[string]outcome, error) {
	p, err := b.start(e, b.machine(installerRAM, "-kernel", installer+"linux", "-initrd", installer+"initrd.gz", "-append", "console=ttyS0 DEBIAN_FRONTEND=text")...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	at, err := p.expect("Select a language", b.limit())
	if err != nil {
		return nil, err
	}
	n, err := memoryAbove(p.cmd.Process.Pid, installerRAM<<20)
	if err != nil {
		return nil, err
	}
	b.note(overhead, e, float64(n)/(1<<20))
	return map[string]outcome{"installer": {used: at}}, nil
}

// stepsKernel is the kernel's command line for steps.
const stepsKernel = "console=ttyS0 printk.devkmsg=on rdinit=/bench/init"

// runSteps boots the guest with the archive behind its own, whose script is init.
func runSteps(mib int, steps []step, archive func(*bench) (string, error), more []string) func(*bench, emulator) (map[string]outcome, error) {
	return func(b *bench, e emulator) (map[string]outcome, error) {
		tree, err := archive(b)
		if err != nil {
			return nil, err
		}
		initrd, err := b.initrd(tree, script(steps))
		if err != nil {
			return nil, err
		}
		defer os.Remove(initrd)
		args := b.machine(mib, "-kernel", b.guest("bzImage-i386-486"), "-initrd", initrd, "-append", stepsKernel)
		p, err := b.start(e, append(args, more...)...)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		got, err := follow(p, steps, b.limit())
		if err != nil {
			return nil, err
		}
		return got, p.wait(b.limit())
	}
}

func nativeSteps(steps []step, tree func(*bench) (string, error)) func(*bench) (map[string]outcome, error) {
	return func(b *bench) (map[string]outcome, error) {
		root, err := tree(b)
		if err != nil {
			return nil, err
		}
		got := map[string]outcome{}
		for _, s := range steps {
			if !s.guestOnly {
				if got[s.name], err = native(root, s); err != nil {
					return nil, err
				}
			}
		}
		return got, nil
	}
}

func runDisk(b *bench, e emulator) (map[string]outcome, error) {
	image := filepath.Join(b.dir, "disk.img")
	defer os.Remove(image)
	f, err := os.Create(image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close()); err != nil {
		return nil, err
	}
	got, err := runSteps(256, diskSteps(), smallTree, []string{"-drive", "file=" + image + ",format=raw,if=ide,index=0"})(b, e)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(image)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(data, bytes.Repeat(b.text, diskSize/textSize)) {
		return nil, errors.New("the disk image does not hold what the guest wrote")
	}
	// What the guest read is "HASH  -".
	if want := shortSum(fmt.Appendf(nil, "%x  -\n", sha256.Sum256(data))); got["same"].sum != want {
		return nil, errors.New("the guest did not read what it wrote to the disk")
	}
	delete(got, "same")
	return got, nil
}

// runStart runs a firmware that says R and ends the emulator, some times.
func runStart(b *bench, e emulator) (map[string]outcome, error) {
	image := bytes.Repeat([]byte{0xf4}, 64<<10)
	// mov al,'R'; out 0xe9,al; out 0xf4,al; hlt: at the reset vector.
	copy(image[0xfff0:], []byte{0xb0, 'R', 0xe6, 0xe9, 0xe6, 0xf4, 0xf4})
	bios := filepath.Join(b.dir, "start.bin")
	if err := os.WriteFile(bios, image, 0o666); err != nil {
		return nil, err
	}
	var all []stamp
	for range 11 {
		p, err := b.start(e, "-cpu", b.cpu, "-m", "128", "-display", "none", "-serial", "none", "-monitor", "none",
			"-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios", bios)
		if err != nil {
			return nil, err
		}
		at, err := p.expect("R", b.limit())
		if err == nil {
			err = p.wait(b.limit())
		}
		p.stop()
		if err != nil {
			return nil, err
		}
		// It is gone before its CPU time could be read reliably: its end counts here.
		at.cpu = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
		all = append(all, at)
	}
	return map[string]outcome{"start": {used: medianStamp(all)}}, nil
}

func runIdle(b *bench, e emulator) (map[string]outcome, error) {
	p, err := b.start(e, b.machine(128, "-kernel", b.guest("bzImage-i386-486"), "-initrd", b.guest("initramfs-i386.gz"), "-append", "console=ttyS0")...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if _, err := p.expect("GUEST-KIT OK", b.limit()); err != nil {
		return nil, err
	}
	if _, err := p.expect("# ", b.limit()); err != nil {
		return nil, err
	}
	time.Sleep(3 * time.Second)
	from, ok := p.now()
	time.Sleep(10 * time.Second)
	to, ok2 := p.now()
	if !ok || !ok2 {
		return nil, fmt.Errorf("it ended at the shell prompt: %s", p.tail())
	}
	b.note(idleCPU, e, 100*float64(to.cpu-from.cpu)/float64(to.wall-from.wall))
	return nil, nil
}

func medianStamp(all []stamp) stamp {
	cpu, wall := make([]time.Duration, len(all)), make([]time.Duration, len(all))
	for i, s := range all {
		cpu[i], wall[i] = s.cpu, s.wall
	}
	return stamp{median(cpu), median(wall)}
}

// median of an even number of values is the mean of the two in the middle.
func median[T time.Duration | float64](v []T) T {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
