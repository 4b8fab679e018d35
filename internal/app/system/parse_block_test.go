package system

import (
	"strings"
	"syscall"
	"testing"

	"rhea/internal/block"
)

func TestInject(t *testing.T) {
	c := parse(t, "-drive", "file=blkdebug:r.conf:a.img,format=raw",
		"-blockdev", "driver=blkdebug,node-name=d,image.driver=file,image.filename=b.img,config=x,inject-error.0.event=read_aio,inject-error.1.event=none,inject-error.1.iotype=write,inject-error.1.errno=28,set-state.0.event=flush_to_disk,set-state.0.new_state=3",
		"-blockdev", "driver=qcow2,node-name=q,file=d", "-device", "ide-hd,drive=q")
	a, b := &c.Drives[0], &c.Drives[1]
	if a.File != "a.img" || a.Inject == nil || a.Inject.Config != "r.conf" {
		t.Errorf("%+v", a)
	}
	if b.File != "b.img" || b.Format != "qcow2" || b.Inject == nil || b.Inject.Config != "x" || len(b.Inject.Rules.Errors) != 2 || len(b.Inject.Rules.Changes) != 1 {
		t.Fatalf("%+v", b)
	}
	if e := b.Inject.Rules.Errors[1]; e.Errno != syscall.ENOSPC || e.Op != block.Write || !e.Typed {
		t.Errorf("%+v", e)
	}
	for line, want := range map[string]string{
		"-hda blkdebug:a": "blkdebug:a' is not blkdebug:config:image",
		"-blockdev blkdebug,node-name=d,image.filename=x,inject-error.0.event=l2_load": "inject-error.0.event': the event 'l2_load' does not happen here",
		"-blockdev blkdebug,node-name=d,image.filename=x,inject-error.0.sector=1":      "inject-error.0': a rule has no event",
	} {
		if _, _, err := Parse("i386", strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
