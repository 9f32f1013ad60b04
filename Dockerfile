# The image of the webhook and the controller. `make image` builds the same image without Docker, from the instructions
# of the last stage.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=1.0.0 -t kongdao.io/kongdao:1.0.0 .

# BUILDER is an image with Go, bash and git. BASE can be empty, because the programs are static and read no other files.
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
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH VERSION=$VERSION hack/image/compile.sh /out

FROM ${BASE}
ARG VERSION=unknown
LABEL org.opencontainers.image.title="kongdao"
LABEL org.opencontainers.image.description="Admission webhook that gives Kong pods their plugins"
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.version="$VERSION"
COPY --from=build /out/ /
# With a numeric user, kubelet can verify runAsNonRoot. The programs write no files, so the root filesystem can be
# read-only.
USER 65532:65532
# The Deployment of the controller runs /controller instead.
ENTRYPOINT ["/webhook"]
