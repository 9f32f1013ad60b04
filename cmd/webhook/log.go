package main

import (
	"fmt"
	"log"
	"strings"

	"github.com/go-logr/logr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// unsampled is the level from which controller-runtime's zap leaves no lines
// out. Above it a burst keeps every hundredth; ours are of one admission each,
// and the one that was denied must be among them.
const unsampled = zapcore.Level(-2)

func setLogger(level string) error {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	ctrl.SetLogger(ctrlzap.New(ctrlzap.Level(unsampled), ctrlzap.RawZapOpts(zap.IncreaseLevel(parsed))))
	log.SetFlags(0)
	log.SetOutput(serverLog{ctrl.Log.WithName("http")})
	return nil
}

// serverLog takes what net/http writes of its clients, such as a handshake that
// failed, so that the log is of one form.
type serverLog struct{ logr.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.Info(strings.TrimSpace(string(line)))
	return len(line), nil
}
