# Belleville as one static program. Its configuration is /etc/belleville/belleville.toml, or the environment.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /belleville ./cmd/belleville

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /
COPY --from=build /belleville /
ENV ZONEINFO=/zoneinfo.zip
WORKDIR /etc/belleville
USER 65532:65532
EXPOSE 8001 9001
ENTRYPOINT ["/belleville"]
CMD ["serve"]
