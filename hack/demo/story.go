package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/installation"
)

// show runs the steps of the demo, as commands that a user would type.
func show(ctx context.Context, shell *shell, dir string) error {
	if err := showPacking(ctx, shell, filepath.Join(dir, "incomplete")); err != nil {
		return err
	}
	if err := showInjection(ctx, shell); err != nil {
		return err
	}
	return showTypo(ctx, shell)
}

// showPacking publishes the plugin, and tries to pack it without its migrations. The folder must not exist.
func showPacking(ctx context.Context, shell *shell, incomplete string) error {
	plugin := relative(fixtures.PluginFolder())
	shell.heading("1. Publish the plugin: its folder becomes an immutable, versioned ConfigMap")
	if err := errors.Join(
		shell.run(ctx, "find "+plugin+" -type f"),
		shell.run(ctx, "kubectl kongdao pack "+plugin+" | kubectl create -f -"),
		shell.run(ctx, "kubectl get configmaps -l kongdao.io/plugin -L kongdao.io/plugin,kongdao.io/plugin-version"),
	); err != nil {
		return err
	}
	shell.heading("2. Try to publish it without its migrations")
	shell.note("Kong would start, and then fail on the first request that uses the table (fact K5).")
	if _, err := shell.output(ctx, "cp -R "+plugin+" "+incomplete+" && rm -r "+incomplete+"/migrations"); err != nil {
		return err
	}
	return shell.runDenied(ctx, "kubectl kongdao pack --name "+fixtures.Plugin+" "+incomplete)
}

// showInjection requests the plugin for a Deployment, and compares its pods before and after.
func showInjection(ctx context.Context, shell *shell) error {
	shell.heading("3. Deploy Kong without the plugin")
	if err := shell.run(ctx, "kubectl create -f "+relative(manifestPath())); err != nil {
		return err
	}
	before, err := shell.firstPod(ctx, "app=kong,!kongdao.io/injected")
	if err != nil {
		return err
	}
	shell.heading("4. Request the plugin by one annotation")
	if err := shell.run(ctx, "kubectl annotate deployment kong kongdao.io/plugins="+fixtures.Plugin); err != nil {
		return err
	}
	after, err := shell.firstPod(ctx, "app=kong,kongdao.io/injected=true")
	if err != nil {
		return err
	}
	shell.note("The new pod waits (SchedulingGated) until a Job has migrated its database. Until then, the old pod stays.")
	migrating := `kubectl get pluginmigrations -o jsonpath='{.items[?(@.status.phase=="Migrating")].metadata.name}'`
	if _, err := shell.waitForOutput(ctx, migrating); err != nil {
		return err
	}
	if err := errors.Join(
		shell.run(ctx, "kubectl get pods -l app=kong"),
		shell.run(ctx, "kubectl get pluginmigrations"),
	); err != nil {
		return err
	}
	shell.heading("5. Compare the old pod with the new one")
	shell.note("Each container that runs Kong gets KONG_PLUGINS, the Lua package path and the plugin's files.")
	return shell.diff(before, after)
}

// showTypo requests a plugin that does not exist.
func showTypo(ctx context.Context, shell *shell) error {
	shell.heading("6. Make a typo: kongdao warns immediately, and denies the new pods")
	shell.note("On a cluster, the pods that run are not affected.")
	typo := strings.Replace(fixtures.Plugin, "test", "tset", 1)
	if err := shell.run(ctx, "kubectl annotate --overwrite deployment kong kongdao.io/plugins="+typo); err != nil {
		return err
	}
	denials := "kubectl get events --field-selector type=Warning,reason=FailedCreate -o custom-columns=" +
		"REASON:.reason,MESSAGE:.message"
	if _, err := shell.waitForOutput(ctx, denials+" --no-headers"); err != nil {
		return err
	}
	return shell.run(ctx, denials)
}

func manifestPath() string {
	return filepath.Join(installation.ProjectRoot(), "hack", "demo", "kong.yaml")
}

// relative returns a path relative to the project's root, where the shell runs its commands.
func relative(path string) string {
	if short, err := filepath.Rel(installation.ProjectRoot(), path); err == nil {
		return short
	}
	return path
}
