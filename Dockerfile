# The webhook's image. `make image` builds the same image without Docker, from the instructions of the last stage.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=1.0.0 -t kongdao.io/kongdao:1.0.0 .

# BUILDER is an image with Go, bash and git. BASE can be empty, because the program is static and reads no other files.
ARG BUILDER=golang:1.26
ARG BASE=scratch

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH VERSION=$VERSION hack/image/compile.sh /out/webhook

FROM ${BASE}
ARG VERSION=unknown
LABEL org.opencontainers.image.title="kongdao"
LABEL org.opencontainers.image.description="Admission webhook that gives Kong pods their plugins"
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.version="$VERSION"
COPY --from=build /out/webhook /webhook
# With a numeric user, kubelet can verify runAsNonRoot. The program writes no files, so the root filesystem can be
# read-only.
USER 65532:65532
ENTRYPOINT ["/webhook"]
