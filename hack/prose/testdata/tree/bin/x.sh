#!/usr/bin/env bash
# nobody
