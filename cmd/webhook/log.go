package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
)

func setLogger(level string) error {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	// controller-runtime's own logger keeps of a burst every hundredth line. Ours
	// are of one admission each, and the one that was refused must be among them.
	form := zap.NewProductionEncoderConfig()
	form.EncodeTime = zapcore.RFC3339TimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(form), zapcore.Lock(os.Stderr), parsed)
	ctrl.SetLogger(zapr.NewLogger(zap.New(core, zap.AddStacktrace(zapcore.ErrorLevel))))
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
