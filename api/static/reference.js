// Shows the API reference with everything that would leave the machine switched off.
Scalar.createApiReference("#app", {
  url: "/openapi.json",
  agent: { disabled: true },
  mcp: { disabled: true },
  telemetry: false,
  withDefaultFonts: false,
  proxyUrl: "",
  hideClientButton: true,
  showDeveloperTools: "never",
  authentication: { preferredSecurityScheme: "key" },
});
